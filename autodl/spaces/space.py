"""What a space offers: one protocol for each thing that strategies ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autodl.trial import Architecture

Arch = TypeVar("Arch", bound=Architecture)
ArchOut = TypeVar("ArchOut", bound=Architecture, covariant=True)


@runtime_checkable
class EvolvableSpace(Protocol[Arch]):
    """A space that can draw an architecture at random and vary one."""

    def sample(self, rng: np.random.Generator) -> Arch:
        """An architecture; all randomness comes from ``rng``."""
        ...

    def mutate(self, architecture: Arch, rng: np.random.Generator) -> Arch:
        """Another architecture near to this one."""
        ...


class SampledSpace(Protocol[ArchOut]):
    """A space that can draw an architecture at random."""

    def sample(self, rng: np.random.Generator) -> ArchOut:
        """An architecture; all randomness comes from ``rng``."""
        ...


class ListedSpace(Protocol[ArchOut]):
    """A space that can list its architectures."""

    def architectures(self) -> Iterator[ArchOut]:
        """Every architecture once."""
        ...


@runtime_checkable
class BlockSpace(EvolvableSpace[Arch], Protocol[Arch]):
    """A space of architectures that are rows of codes, a row for each block."""

    choices: ClassVar[tuple[int, ...]]
    """Number of values of each primitive of a block."""

    def encode(self, architecture: Arch) -> NDArray[np.int64]:
        """Codes, int64 ``[blocks, primitives]``, each from 0 to the primitive's choices - 1."""
        ...

    def decode(self, codes: NDArray[np.int64]) -> Arch:
        """The inverse of ``encode``."""
        ...

    def check(self, architecture: object) -> Arch:
        """Return the architecture if it is of this space, else raise ConfigError."""
        ...
