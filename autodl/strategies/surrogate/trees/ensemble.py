"""Surrogates that are many regressors: their mean is believed, where they differ is doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.encodings import Encoding
from autodl.strategies.surrogate.surrogate import Reals

Predict: TypeAlias = Callable[[Reals], Reals]
Grow: TypeAlias = Callable[[Reals, Reals], Predict]
_LEAST_VARIANCE = 1e-12


class EnsemblePosterior:
    """The normal belief with the mean and the covariance of some predictions; see ``Posterior``.

    Args:
        members: what each of ``M`` regressors predicts of the rows, float64 ``[M, N]``.
    """

    def __init__(self, members: Reals) -> None:
        self.mean: Reals = members.mean(axis=0)
        self._away = (members - self.mean) / np.sqrt(len(members))
        self.variance: Reals = np.maximum(np.square(self._away).sum(axis=0), _LEAST_VARIANCE)

    def covariance(self, columns: Integers) -> Reals:
        """Between all rows and those at these positions, float64 ``[N, len(columns)]``."""
        return np.asarray(self._away.T @ self._away[:, columns])

    def draw(self, rng: np.random.Generator, count: int) -> Reals:
        """Joint draws, float64 ``[count, N]``: away by a normal mixture of the members."""
        return np.asarray(self.mean + rng.normal(size=(count, len(self._away))) @ self._away)


class Ensemble:
    """Regressors that are grown anew, from all rows, when they are asked after an update.

    Args:
        encoding: of rows.
        grow: features ``[n, F]`` and rewards ``[n]`` -> features ``[N, F]`` -> predictions of the
            members, ``[M, N]``; the same arguments always give the same.
    """

    def __init__(self, encoding: Encoding, grow: Grow) -> None:
        self._encoding = encoding
        self._grow = grow
        self._features: Reals = np.empty((0, sum(encoding.groups)))
        self._rewards: Reals = np.empty(0)
        self._predict: Predict | None = None

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn from ``n`` > 0 rows."""
        self._features, self._rewards = self._encoding.features(rows), rewards
        self._predict = None

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows."""
        if len(rows):
            self._features = np.vstack([self._features, self._encoding.features(rows)])
            self._rewards, self._predict = rewards, None

    def posterior(self, rows: Integers) -> EnsemblePosterior:
        """What it believes of these rows."""
        if self._predict is None:
            self._predict = self._grow(self._features, self._rewards)
        return EnsemblePosterior(self._predict(self._encoding.features(rows)))
