"""Random search: the control that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from autodl.spaces.codec import Architecture
from autodl.trial import Trial

Arch = TypeVar("Arch", bound=Architecture, covariant=True)


class SampledSpace(Protocol[Arch]):
    """A space that can draw an architecture at random."""

    def sample(self, rng: np.random.Generator) -> Arch:
        """An architecture; all randomness comes from ``rng``."""
        ...


class RandomSearch(Generic[Arch]):
    """Propose independent random architectures and learn nothing."""

    batch_size: int | None = None

    def __init__(self, space: SampledSpace[Arch], *, seed: int = 0) -> None:
        """``seed`` is there for the factory's sake; all randomness comes with ``ask``."""
        self._space = space

    def ask(self, rng: np.random.Generator) -> Arch:
        """Draw an architecture from the space."""
        return self._space.sample(rng)

    def tell(self, trial: Trial) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""
