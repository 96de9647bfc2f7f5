"""Probabilistic matrix factorisation, with holes: a place for each architecture, shared by tasks.

The columns of a table are tasks, its rows architectures, and most of its scores unknown. Every
architecture has a vector of ``Q`` latent numbers, and every task is a Gaussian process over these:
a Gaussian process latent variable model. What an architecture is like is learned from all tasks
together; a new task is a Gaussian process over places that are known.

Source: Fusi, Sheth, Elibol: Probabilistic matrix factorization for automated machine learning,
NeurIPS 2018, arXiv:1705.05355.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, pi
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import rankdata

Reals: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_STEPS = 60
_PRIOR_NOISE = log(0.1)


@dataclass(frozen=True, slots=True, eq=False)
class LatentFactors:
    """Places of architectures, float64 ``[N, Q]``, and the kernel over them.

    ``k(x, y) = exp(variance) exp(-sum_q exp(2 scales_q) (x_q - y_q)^2 / 2)``, and
    ``exp(noise)`` the variance of the noise: settings are logarithms.
    """

    places: Reals
    variance: float
    scales: Reals
    noise: float

    def kernel(self, left: Reals, right: Reals) -> Reals:
        """Covariances of places ``[n, Q]`` and ``[m, Q]``, without noise: ``[n, m]``."""
        one, other = left * np.exp(self.scales), right * np.exp(self.scales)
        squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1)
        apart = np.maximum(squares - 2 * one @ other.T, 0.0)
        return np.asarray(exp(self.variance) * np.exp(-0.5 * apart))

    def negative_log_likelihood(self, table: Reals) -> float:
        """Of the scores that are no NaN, a table ``[N, D]``; see ``_value``."""
        return _value(self, table)[0]

    def gradient(self, table: Reals) -> LatentFactors:
        """Of the same, with respect to places and settings."""
        return _value(self, table)[1]

    def posterior(self, seen: Integers, scores: Reals) -> tuple[Reals, Reals]:
        """Mean and covariance, without noise, of a task of which some scores are known.

        Args:
            seen: positions of architectures, int64 ``[t]``.
            scores: theirs, float64 ``[t]``.

        Returns:
            Float64 ``[N]`` and ``[N, N]``.
        """
        prior = self.kernel(self.places, self.places)
        across = prior[:, seen]
        noisy = across[seen] + exp(self.noise) * np.eye(len(seen))
        solved = np.linalg.solve(noisy, across.T)
        return scores @ solved, prior - across @ solved

    def flat(self) -> Reals:
        """All numbers in a row; ``shaped`` is the inverse."""
        return np.concatenate([self.places.ravel(), [self.variance], self.scales, [self.noise]])

    def shaped(self, numbers: Reals) -> LatentFactors:
        """Another one with these numbers."""
        places, rest = np.split(numbers, [self.places.size])
        made = places.reshape(self.places.shape)
        return LatentFactors(made, float(rest[0]), rest[1:-1], float(rest[-1]))


def _value(factors: LatentFactors, table: Reals) -> tuple[float, LatentFactors]:
    """``sum_d y^T C^-1 y / 2 + ln |C| / 2 + n_d / 2 ln 2 pi`` over the columns, and its gradient.

    ``C`` is the kernel of the rows that the column has, and noise. A column without a score adds
    nothing, and a row without one has gradient 0.
    """
    total, noise = 0.0, 0.0
    by_kernel = np.zeros((len(table), len(table)))
    kernel = factors.kernel(factors.places, factors.places)
    for column in table.T:
        seen = np.flatnonzero(~np.isnan(column))
        if not len(seen):
            continue
        matrix = kernel[np.ix_(seen, seen)] + exp(factors.noise) * np.eye(len(seen))
        factor = cho_factor(matrix, lower=True)
        solved = cho_solve(factor, column[seen])
        log_determinant = 2 * np.log(np.diag(factor[0])).sum()
        total += 0.5 * (column[seen] @ solved + log_determinant + len(seen) * log(2 * pi))
        slope = 0.5 * (cho_solve(factor, np.eye(len(seen))) - np.outer(solved, solved))
        by_kernel[np.ix_(seen, seen)] += slope
        noise += exp(factors.noise) * float(np.trace(slope))
    weighed = by_kernel * kernel
    squares = np.exp(2 * factors.scales)
    # d k_ij / d x_i = -k_ij s^2 (x_i - x_j), and each pair occurs twice
    pull = weighed.sum(axis=1)[:, None] * factors.places - weighed @ factors.places
    places = -2 * squares * pull
    # sum_ij w_ij (x_i - x_j)^2 = 2 x . (diag(w 1) - w) x, by latent dimension
    scales = -squares * 2 * (factors.places * pull).sum(axis=0)
    return float(total), LatentFactors(places, float(weighed.sum()), scales, noise)


def principal_places(table: Reals, dimensions: int) -> Reals:
    """Where architectures begin: principal components of the table, holes filled by task means.

    Of unit variance, float64 ``[N, Q]``; dimensions beyond the table's rank are 0.
    """
    filled = np.where(np.isnan(table), 0.0, table)
    left, values, _ = np.linalg.svd(filled - filled.mean(axis=0), full_matrices=False)
    places = np.zeros((len(table), dimensions))
    kept = min(dimensions, int((values > 1e-9 * max(values.max(initial=0.0), 1e-300)).sum()))
    places[:, :kept] = left[:, :kept] * np.sqrt(len(table))
    return places


def fitted(table: Reals, dimensions: int = 5, steps: int = _STEPS) -> LatentFactors:
    """The likeliest places and settings, from the principal components on, by L-BFGS.

    The paper takes small random batches of tasks and plain gradient descent, since it has 464 of
    them with 42,000 rows; the sum over a handful of runs is computed whole. And it has no priors;
    here places are standard normal and settings normal around where they begin, with deviation 1,
    since of two or three tasks any number of free places explains everything. A step costs O(n^3)
    for each task of n scores: 600 rows of which two runs tried 300 each take 2 s.

    Args:
        table: float64 ``[N, D]``, standardised column by column; NaN where a score is unknown.
        dimensions: ``Q``; the paper's is 20, for 464 tasks.
    """
    scales = np.full(dimensions, -0.5 * log(dimensions))
    start = LatentFactors(principal_places(table, dimensions), 0.0, scales, _PRIOR_NOISE)
    begin = start.flat()
    expected = begin.copy()
    expected[: start.places.size] = 0.0

    def value(numbers: Reals) -> tuple[float, Reals]:
        likelihood, gradient = _value(start.shaped(numbers), table)
        away = numbers - expected
        return likelihood + 0.5 * float(away @ away), gradient.flat() + away

    free, bounded = start.places.size, dimensions + 2  # a first step may go far
    bounds = [(None, None)] * free + [(-7.0, 5.0)] * bounded
    found = minimize(
        value, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}
    )
    return start.shaped(np.asarray(found.x, np.float64))


def best_on_average(table: Reals, count: int) -> list[int]:
    """Positions to begin a new task with: the highest mean rank over the tasks, ties the first.

    Ranks are over the rows that a task has, as parts of their number; rows that no task has come
    last. The paper takes the five tasks that are nearest by meta-features; runs have none, so
    all count.
    """
    ranks = np.full(table.shape, np.nan)
    for task, column in enumerate(table.T):
        seen = np.flatnonzero(~np.isnan(column))
        ranks[seen, task] = rankdata(column[seen]) / max(len(seen), 1)
    known = ~np.isnan(ranks).all(axis=1)
    means = np.full(len(table), -np.inf)
    means[known] = np.nanmean(ranks[known], axis=1)
    return [int(at) for at in np.argsort(-means, kind="stable")[:count]]
