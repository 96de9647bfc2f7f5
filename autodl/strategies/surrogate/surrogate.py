"""The role of a surrogate: rows of decisions and what they gave -> what other rows may give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autodl.spaces.space import Integers
from autodl.system.roles import Role

Reals: TypeAlias = NDArray[np.float64]
PastScores: TypeAlias = tuple[Integers, Reals]  # rows of an earlier run, and what they gave


@runtime_checkable
class Posterior(Role, Protocol):
    """What a surrogate believes of ``N`` rows: a joint distribution, without noise."""

    @property
    def mean(self) -> Reals:
        """Float64 ``[N]``."""
        ...

    @property
    def variance(self) -> Reals:
        """Float64 ``[N]``, above 0."""
        ...

    def covariance(self, columns: Integers) -> Reals:
        """Between all rows and those at these positions, float64 ``[N, len(columns)]``."""
        ...

    def draw(self, rng: np.random.Generator, count: int) -> Reals:
        """Joint draws, float64 ``[count, N]``."""
        ...


@runtime_checkable
class Surrogate(Role, Protocol):
    """A model of the reward over rows of decisions, int64 ``[n, len(sizes)]``.

    Rewards are finite, float64 ``[n]``, and on the scale of a standard normal variable
    (``rewards.py`` brings them there). All equal rewards are allowed. What a surrogate believes
    follows from its calls since the last ``fit`` alone, bit for bit: a search that is resumed
    repeats them and goes on as it would have.
    """

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn from ``n`` > 0 rows, hyper-parameters too; forget everything before."""
        ...

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows, hyper-parameters kept.

        Args:
            rows: the new ones, int64 ``[m, len(sizes)]``, perhaps none.
            rewards: of all rows since ``fit``, these last, float64 ``[n + m]``: those of earlier
                rows may have changed, as ranks do.
        """
        ...

    def posterior(self, rows: Integers) -> Posterior:
        """What it believes of these rows."""
        ...


@runtime_checkable
class InformedSurrogate(Surrogate, Protocol):
    """A surrogate that earlier runs teach something; then it may be fitted to no rows at all."""

    def learn_from(self, past: Sequence[PastScores]) -> None:
        """Take in earlier runs, in place of those before; called before the first ``fit``."""
        ...
