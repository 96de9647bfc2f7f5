"""Exhaustive search: every architecture of a small space once, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic

import numpy as np

from autodl.spaces.rows import listing
from autodl.spaces.space import ArchOut, Coded, Listed
from autodl.strategies.strategy import Exhausted
from autodl.trial import Trial


class ExhaustiveSearch(Generic[ArchOut]):
    """Propose all architectures of the space before the first is evaluated, and no more."""

    batch_size: int | None = None

    def __init__(self, space: Listed[ArchOut] | Coded[Any], *, seed: int = 0) -> None:
        """``seed`` is there for the factory's sake; nothing is random here.

        Raises:
            ConfigError: the space cannot be listed, or has more rows than are gone through.
        """
        self._space = space
        listing(space, "ExhaustiveSearch")

    def initial(self) -> Iterator[ArchOut]:
        """Every architecture of the space."""
        return listing(self._space, "ExhaustiveSearch")

    def ask(self, rng: np.random.Generator) -> ArchOut:
        """Always raises ``Exhausted``: all there is to propose is proposed initially."""
        raise Exhausted("every architecture of the space was proposed")

    def tell(self, trial: Trial) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""
