"""Random search: the control that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic

import numpy as np

from autodl.spaces.rows import sampler
from autodl.spaces.space import ArchOut, Sampled
from autodl.trial import Trial


class RandomSearch(Generic[ArchOut]):
    """Propose independent random architectures and learn nothing."""

    batch_size: int | None = None

    def __init__(self, space: Sampled[ArchOut], *, seed: int = 0) -> None:
        """``seed`` is there for the factory's sake; all randomness comes with ``ask``.

        Raises:
            ConfigError: the space cannot be drawn from.
        """
        self._sample: Callable[[np.random.Generator], ArchOut] = sampler(space, "RandomSearch")

    def ask(self, rng: np.random.Generator) -> ArchOut:
        """Draw an architecture from the space."""
        return self._sample(rng)

    def tell(self, trial: Trial) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""
