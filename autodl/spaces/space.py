"""What a space offers: one protocol for each thing that is asked of it, always by ``isinstance``.

A space of one's own needs ``Space``, or better ``Coded``: whatever is a row of decisions can be
searched by every strategy. The others are for what a space can do better than a row tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autodl.system.roles import Role
from autodl.trial import Architecture

Arch = TypeVar("Arch", bound=Architecture)
ArchOut = TypeVar("ArchOut", bound=Architecture, covariant=True)
Integers: TypeAlias = NDArray[np.int64]
Steps: TypeAlias = tuple[int | tuple[int, ...], ...]


@runtime_checkable
class Sampled(Role, Protocol[ArchOut]):
    """A space that can draw an architecture at random: all that random search needs."""

    def sample(self, rng: np.random.Generator) -> ArchOut:
        """An architecture; all randomness comes from ``rng``."""
        ...


@runtime_checkable
class Space(Sampled[ArchOut], Protocol[ArchOut]):
    """A space that also knows what is of it."""

    @property
    def kind(self) -> str:
        """The ``kind`` of its architectures' JSON objects; an attribute will do."""
        ...

    def check(self, architecture: object) -> ArchOut:
        """Return the architecture if it is of this space, else raise ConfigError."""
        ...


@runtime_checkable
class Coded(Space[Arch], Protocol[Arch]):
    """A space whose architectures are rows of categorical decisions.

    Every row of integers ``0 <= row[i] < sizes[i]`` is an architecture. Several rows may be the
    same one; of them ``encode`` gives the same row always.
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each decision, from 1; an attribute will do."""
        ...

    def encode(self, architecture: Arch) -> Integers:
        """The decisions behind an architecture, int64 ``[len(sizes)]``, the caller's own array.

        Raises:
            ConfigError: the architecture is not of this space.
        """
        ...

    def decode(self, row: Integers) -> Arch:
        """The inverse of ``encode``.

        Raises:
            EncodingError: another number of decisions, or one out of range.
        """
        ...


@runtime_checkable
class Labelled(Role, Protocol):
    """A coded space whose decisions have names for people."""

    @property
    def labels(self) -> tuple[str, ...]:
        """A short name for each decision, in the order of the row."""
        ...


@runtime_checkable
class Stepwise(Coded[Arch], Protocol[Arch]):
    """A coded space that knows in which order its decisions are best taken."""

    @property
    def steps(self) -> Steps:
        """Every position of the row once: alone, or with others that are decided together.

        Positions in a tuple are decided independently of each other, and each is 0 or 1.
        """
        ...


@runtime_checkable
class Blocked(Coded[Arch], Protocol[Arch]):
    """A coded space whose rows are blocks of equal decisions, one block behind the other."""

    @property
    def choices(self) -> tuple[int, ...]:
        """Number of values of each primitive of a block; ``sizes`` repeats it."""
        ...


@runtime_checkable
class Varied(Role, Protocol[Arch]):
    """A space with neighbours of its own making."""

    def mutate(self, architecture: Arch, rng: np.random.Generator) -> Arch:
        """Another architecture near to this one."""
        ...


@runtime_checkable
class Listed(Role, Protocol[ArchOut]):
    """A space that can list its architectures."""

    def architectures(self) -> Iterator[ArchOut]:
        """Every architecture once.

        Raises:
            ConfigError: there are too many.
        """
        ...


@runtime_checkable
class Named(Role, Protocol[Arch]):
    """A space in which architectures that are written differently can be the same network."""

    def canonical(self, architecture: Arch) -> Arch:
        """The form that all ways to write it have in common; a fixed point of itself."""
        ...


@runtime_checkable
class Pathed(Coded[Arch], Protocol[Arch]):
    """A coded space of graphs that can tell the ways through them."""

    def path_counts(self, rows: Integers) -> Integers:
        """How many ways from input to output apply each sequence of operations.

        Of rows ``[N, len(sizes)]``, int64 ``[N, P]``, with the same columns always. Twins have the
        same numbers; others may have, too.
        """
        ...


@runtime_checkable
class Branched(Coded[Arch], Protocol[Arch]):
    """A coded space of graphs that can tell on how many ways each decision lies."""

    def ways_through(self, rows: Integers) -> Integers:
        """How many ways from input to output lead through what each decision chose.

        Of rows ``[N, len(sizes)]``, int64 of that shape; 0 where none does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """What a mixture has a weight for: each of its operations on each of its edges."""

    name: str
    edges: tuple[str, ...]
    operations: tuple[str, ...]


@runtime_checkable
class Relaxed(Coded[Arch], Protocol[Arch]):
    """A coded space of graphs that can be one network with all operations on every edge (DARTS)."""

    @property
    def mixture(self) -> Any:
        """What its network's plan maker takes for that network: its plan has ``Mix`` layers."""
        ...

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables in which these layers stand."""
        ...

    def strongest(self, weights: Mapping[str, NDArray[np.float64]]) -> Arch:
        """The architecture that weights ``[edges, operations]`` of each table stand for."""
        ...

    def operations_of(self, architecture: Arch) -> tuple[str, ...]:
        """The operation on each edge of an architecture."""
        ...


@runtime_checkable
class Twinned(Named[Arch], Protocol[Arch]):
    """A space that can write an architecture in another way."""

    def twin(self, architecture: Arch, rng: np.random.Generator) -> Arch:
        """One with the same canonical form, at random; perhaps the architecture itself."""
        ...


@runtime_checkable
class Costed(Coded[Arch], Protocol[Arch]):
    """A coded space that can tell what each decision costs as soon as it is taken."""

    def added_cost(self, choices: Integers) -> Integers:
        """What the last of the choices ``[B, decided]`` adds to the cost: int64 ``[B]``."""
        ...


def canonical_form(space: object) -> Callable[[Architecture], Architecture]:
    """Architecture -> what all its twins have in common; itself where a space knows no twins."""
    return space.canonical if isinstance(space, Named) else lambda architecture: architecture
