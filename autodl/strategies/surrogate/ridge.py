"""Bayesian linear regression: a weight for every feature, with a normal prior.

Source: Bishop, Pattern Recognition and Machine Learning, sections 3.3 and 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.encodings import Encoding
from autodl.strategies.surrogate.posterior import stable_cholesky
from autodl.strategies.surrogate.surrogate import Reals

MOST_FITTED = 256
_NOISES = np.logspace(-3, 1.5, 19)
_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
_LEAST_SCALE = 1e-4


def evidence(kernel: Reals, rewards: Reals, noises: Reals = _NOISES) -> tuple[float, float, float]:
    """The noise under which rewards are likeliest, as a part of the signal's variance.

    ``rewards ~ N(0, a (kernel + noise I))``, with the likeliest ``a``, at least 1e-4.

    Args:
        kernel: of the rows, positive semi-definite ``[n, n]``.

    Returns:
        The logarithm of the likelihood, without ``-n/2 (ln 2 pi + 1)`` where ``a`` is free;
        noise; ``a``.
    """
    values, vectors = np.linalg.eigh(kernel)
    squares = (vectors.T @ rewards) ** 2
    spread = np.maximum(values, 0)[:, None] + noises
    scales = np.maximum((squares[:, None] / spread).mean(axis=0), _LEAST_SCALE)
    fit = (squares[:, None] / spread).sum(axis=0) / scales - len(rewards)
    likelihoods = -0.5 * (len(rewards) * np.log(scales) + np.log(spread).sum(axis=0) + fit)
    best = int(likelihoods.argmax())
    return float(likelihoods[best]), float(noises[best]), float(scales[best])


def spaced(count: int, most: int) -> Integers:
    """At most ``most`` of the positions below ``count``, evenly spaced, first and last among them.

    What hyper-parameters are learned from: all of many rows would take long and tell little more.
    """
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)


class Ridge:
    """``reward = features . w + noise``, ``w`` normal with one variance for each group of features.

    Variances and noise are those of a grid under which the rewards are likeliest. An update costs
    O(F ** 3) for ``F`` features, however many rows there were.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._weight = np.ones(sum(encoding.groups))
        self._noise, self._scale = 1.0, 1.0
        self._features = np.empty((0, len(self._weight)))
        self._precision = np.eye(len(self._weight))
        self._rewards = np.empty(0)

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn variances and weights from ``n`` > 0 rows."""
        plain = self._encoding.features(rows)
        some = spaced(len(rows), MOST_FITTED)
        groups = np.split(plain[some], np.cumsum(self._encoding.groups)[:-1], axis=1)
        kernels = [group @ group.T for group in groups]
        found = []
        for share in _SHARES if len(groups) == 2 else (0.0,):
            shares = _shares(share, len(groups))
            kernel = sum(part * one for part, one in zip(shares, kernels, strict=True))
            found.append((evidence(np.asarray(kernel), rewards[some]), shares))
        (_, self._noise, self._scale), shares = max(found, key=lambda one: one[0][0])
        self._weight = np.repeat(np.sqrt(shares), self._encoding.groups)
        self._features = np.empty((0, plain.shape[1]))
        self._precision = np.eye(plain.shape[1])
        self._add(plain * self._weight, rewards)

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows; variances are kept."""
        features = self._encoding.features(rows) * self._weight
        for row in features:  # one by one: the sums are the same however many come at once
            self._add(row[None], rewards)
        self._rewards = rewards

    def posterior(self, rows: Integers) -> LinearPosterior:
        """What it believes of these rows."""
        features = self._encoding.features(rows) * self._weight
        factor = stable_cholesky(self._precision)
        return LinearPosterior(features, self._mean(factor), factor, self._scale)

    def _add(self, features: Reals, rewards: Reals) -> None:
        self._features = np.vstack([self._features, features])
        self._precision = self._precision + features.T @ features / self._noise
        self._rewards = rewards

    def _mean(self, factor: Reals) -> Reals:
        projected = self._features.T @ self._rewards / self._noise
        return _backward(factor, _forward(factor, projected))


class LinearPosterior:
    """What weights ``N(mean, scale (L L^T)^-1)`` make of rows; see ``Posterior``.

    Args:
        features: of the rows, float64 ``[N, F]``.
        weights: their mean, float64 ``[F]``.
        factor: the lower Cholesky factor ``L`` of their precision, float64 ``[F, F]``.
    """

    def __init__(self, features: Reals, weights: Reals, factor: Reals, scale: float) -> None:
        self.mean = features @ weights
        self._features = features
        self._weights = weights
        self._factor = factor
        self._scale = scale

    @cached_property
    def variance(self) -> Reals:
        """Float64 ``[N]``."""
        return np.asarray(self._scale * np.square(self._whitened).sum(axis=0) + 1e-12)

    def covariance(self, columns: Integers) -> Reals:
        """Between all rows and those at these positions, float64 ``[N, len(columns)]``."""
        return np.asarray(self._scale * self._whitened.T @ self._whitened[:, columns])

    def draw(self, rng: np.random.Generator, count: int) -> Reals:
        """Joint draws, float64 ``[count, N]``: of the weights, so many rows cost little."""
        normals = rng.normal(size=(len(self._weights), count))
        weights = self._weights[:, None] + np.sqrt(self._scale) * _backward(self._factor, normals)
        return np.asarray((self._features @ weights).T)

    @cached_property
    def _whitened(self) -> Reals:
        return _forward(self._factor, self._features.T)


def _shares(second: float, groups: int) -> Sequence[float]:
    return (1.0 - second, second) if groups == 2 else (1.0 / groups,) * groups


def _forward(factor: Reals, right: Reals) -> Reals:
    return np.asarray(solve_triangular(factor, right, lower=True, check_finite=False))


def _backward(factor: Reals, right: Reals) -> Reals:
    return np.asarray(solve_triangular(factor, right, lower=True, trans="T", check_finite=False))
