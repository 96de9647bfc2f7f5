"""Gaussian process regression over rows of decisions.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1 and
section 5.4.1.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.kernels import Kernel
from autodl.strategies.surrogate.posterior import NormalPosterior, stable_cholesky
from autodl.strategies.surrogate.ridge import MOST_FITTED, spaced
from autodl.strategies.surrogate.surrogate import Reals

_NOISE, _NOISE_SPREAD = -4.0, 1.5  # of the logarithm of its variance
_STEPS = 40
_FARTHEST = 5  # of its prior's deviations, for every setting: exponentials stay finite
_FAILED = 1e10
_LEAST_VARIANCE = 1e-12


def negative_log_posterior(
    settings: Reals, kernel: Kernel, rows: Integers, rewards: Reals
) -> tuple[float, Reals]:
    """How unlikely rewards and settings are, and the gradient with respect to the settings.

    ``-ln N(rewards; 0, K + noise I)`` without ``n/2 ln 2 pi``, and the normal log-priors of the
    settings without their constants.

    Args:
        settings: the kernel's and, last, the logarithm of the noise's variance, ``[P + 1]``.
    """
    return _Objective(kernel, rows, rewards)(settings)


class _Objective:
    """The same for many settings: what the rows alone decide is computed once."""

    def __init__(self, kernel: Kernel, rows: Integers, rewards: Reals) -> None:
        self._value = kernel.pullback(rows)
        self._rewards = rewards
        self.start: Reals = np.append(kernel.start, _NOISE)
        self._spread = np.append(kernel.spread, _NOISE_SPREAD)
        reach = _FARTHEST * self._spread
        self.bounds = list(zip(self.start - reach, self.start + reach, strict=True))

    def __call__(self, settings: Reals) -> tuple[float, Reals]:
        matrix, back = self._value(settings[:-1])
        noise = np.exp(settings[-1])
        try:
            factor = cholesky(matrix + noise * np.eye(len(matrix)), lower=True)
        except LinAlgError:  # a step too far; the search for the best turns back
            return _FAILED, np.zeros_like(settings)
        inverse = cho_solve((factor, True), np.eye(len(matrix)), check_finite=False)
        solved = inverse @ self._rewards
        away = (settings - self.start) / self._spread
        value = 0.5 * self._rewards @ solved + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        gradient = 0.5 * (inverse - np.outer(solved, solved))
        own = np.append(back(gradient), noise * np.trace(gradient))
        return float(value), own + away / self._spread


class GaussianProcess:
    """A Gaussian process with a kernel whose settings the rewards decide, and noise.

    Settings maximise the posterior density of at most 256 rows (``spaced``). An update costs
    O(n ** 2) for each row: the Cholesky factor grows by one line.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._settings: Reals = np.append(kernel.start, _NOISE)
        self._rows: Integers = np.empty((0, 0), np.int64)
        self._rewards: Reals = np.empty(0)
        self._factor: Reals = np.empty((0, 0))  # the upper left corner is in use

    @property
    def settings(self) -> Reals:
        """The kernel's and, last, the logarithm of the noise's variance, float64 ``[P + 1]``."""
        return self._settings

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn settings and factor from ``n`` > 0 rows."""
        some = spaced(len(rows), MOST_FITTED)
        objective = _Objective(self._kernel, rows[some], rewards[some])
        found = minimize(
            objective,
            objective.start,
            jac=True,
            method="L-BFGS-B",
            bounds=objective.bounds,
            options={"maxiter": _STEPS},
        )
        self._settings = np.asarray(found.x, np.float64)
        self._rows, self._rewards = rows, rewards
        matrix = self._kernel.matrix(self._settings[:-1], rows, rows)
        self._factor = stable_cholesky(matrix + self._noise * np.eye(len(rows)))

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows; settings are kept."""
        for row in rows:
            self._append(row[None])
        self._rewards = rewards

    def mean(self, rows: Integers) -> Reals:
        """The mean of the posterior alone, float64 ``[N]``, in O(n N)."""
        factor = self._factor[: len(self._rows), : len(self._rows)]
        solved = cho_solve((factor, True), self._rewards, check_finite=False)
        across = self._kernel.matrix(self._settings[:-1], rows, self._rows)
        return np.asarray(across @ solved)

    def posterior(self, rows: Integers) -> NormalPosterior:
        """What it believes of these rows."""
        count, settings = len(self._rows), self._settings[:-1]
        factor = self._factor[:count, :count]
        across = self._kernel.matrix(settings, self._rows, rows)
        solved = solve_triangular(factor, self._rewards, lower=True, check_finite=False)
        whitened = solve_triangular(factor, across, lower=True, check_finite=False)
        prior = self._kernel.diagonal(settings, rows)
        variance = np.maximum(prior - np.square(whitened).sum(axis=0), _LEAST_VARIANCE)

        def between(columns: Integers) -> Reals:
            alone = self._kernel.matrix(settings, rows, rows[columns])
            return np.asarray(alone - whitened.T @ whitened[:, columns])

        return NormalPosterior(np.asarray(solved @ whitened), variance, between)

    @property
    def _noise(self) -> float:
        return float(np.exp(self._settings[-1]))

    def _append(self, row: Integers) -> None:
        """A row more of the factor: ``[l, d]`` with ``L l = k`` and ``d^2 = k(x, x) - l . l``."""
        count, settings = len(self._rows), self._settings[:-1]
        if count == len(self._factor):
            larger = np.zeros((2 * count, 2 * count), order="F")
            larger[:count, :count] = self._factor
            self._factor = larger
        across = self._kernel.matrix(settings, self._rows, row)[:, 0]
        line = solve_triangular(
            self._factor[:count, :count], across, lower=True, check_finite=False
        )
        left = float(self._kernel.diagonal(settings, row)[0]) + self._noise - line @ line
        self._factor[count, :count] = line
        self._factor[count, count] = np.sqrt(max(left, _LEAST_VARIANCE))
        self._rows = np.vstack([self._rows, row])
