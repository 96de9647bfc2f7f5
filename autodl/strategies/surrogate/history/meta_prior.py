"""Meta-BO as a surrogate: the prior is what earlier runs have found, see ``prior.py``."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from autodl.spaces.space import Coded, Integers
from autodl.strategies.options import MetaBOOptions, SurrogateOptions
from autodl.strategies.surrogate.gaussian_process import GaussianProcess
from autodl.strategies.surrogate.kernels import DecisionKernel
from autodl.strategies.surrogate.posterior import NormalPosterior, stable_cholesky
from autodl.strategies.surrogate.surrogate import PastScores, Reals
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch

NOISE = 0.05
_OFFSET = 1.0  # variance of what a whole task may lie above or below the earlier ones


def meta_bo(
    space: Coded[Any], options: MetaBOOptions | None = None, *, seed: int = 0
) -> SurrogateSearch[Any]:
    """The strategy: an acquisition under the prior that earlier runs have (``EstimatedPrior``).

    Its first proposal is the best of what they have in common. Without history it begins with
    random trials.

    Raises:
        ConfigError: the space is not coded.
    """
    chosen = options or MetaBOOptions()
    own = SurrogateOptions(
        acquisition=chosen.acquisition, beta=chosen.beta, initial=chosen.initial, rewards="ranks"
    )
    return SurrogateSearch(
        space,
        own,
        seed=seed,
        make=lambda space: EstimatedPrior(space.sizes, strength=chosen.strength),
    )


class EstimatedPrior:
    """Mean and covariance over rows, estimated from earlier runs; no kernel is believed in.

    The paper wants every run complete on the same candidates. Here each run is completed by a
    Gaussian process of its own, whose means stand for what it did not try; of a run that tried
    the whole space nothing changes but noise. And the paper wants more runs than trials, or the
    variance is not known: with ``strength`` above 0 the sample covariance is mixed with a decision
    kernel as if so many runs had shown it (``prior.shrunk``), which with the two or three runs that
    there are is what makes it usable; then the paper's correction of the variance, by ``(N - 1) /
    (N - t - 1)``, is left out, for there is no such bias to a mean of beliefs.

    Told rewards are brought to the mean and the spread that the prior expects of their rows: runs
    are on scales of their own. Without earlier runs it is a Gaussian process with the kernel's
    first settings.
    """

    def __init__(self, sizes: Sequence[int], *, strength: float = 4.0) -> None:
        """``strength`` is in runs, above 0."""
        self._sizes = tuple(sizes)
        self._kernel = DecisionKernel(sizes)
        self._strength = strength
        self._runs: list[GaussianProcess] = []
        self._rows: Integers = np.empty((0, len(sizes)), np.int64)
        self._rewards: Reals = np.empty(0)

    def learn_from(self, past: Sequence[PastScores]) -> None:
        """Take in what earlier runs have found."""
        self._runs = []
        for rows, scores in past:
            run = GaussianProcess(DecisionKernel(self._sizes))
            run.fit(rows, scores)
            self._runs.append(run)

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn from the rows of this search, perhaps none."""
        self._rows, self._rewards = rows, rewards

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows."""
        self._rows, self._rewards = np.vstack([self._rows, rows]), rewards

    def posterior(self, rows: Integers) -> NormalPosterior:
        """What it believes of these rows, on the scale of the told rewards."""
        seen, told = self._completed(self._rows), len(self._rows)
        new = self._completed(rows)
        inner = self._covariance(self._rows, seen, self._rows, seen)
        offset, scale = self._expected(seen, inner)
        factor = stable_cholesky(inner + NOISE * np.eye(told))
        residual = offset + scale * self._rewards - seen.mean(axis=0)
        across = self._covariance(self._rows, seen, rows, new)
        whitened = _forward(factor, across)
        mean = new.mean(axis=0) + _forward(factor, residual) @ whitened
        variance = np.maximum(self._variance(new) - np.square(whitened).sum(axis=0), 1e-12)

        def between(columns: Integers) -> Reals:
            alone = self._covariance(rows, new, rows[columns], new[:, columns])
            return np.asarray((alone - whitened.T @ whitened[:, columns]) / scale**2)

        return NormalPosterior((mean - offset) / scale, variance / scale**2, between)

    def _completed(self, rows: Integers) -> Reals:
        """What the runs gave, or would have given: float64 ``[runs, len(rows)]``."""
        if not self._runs:
            return np.zeros((1, len(rows)))
        return np.array([run.posterior(rows).mean for run in self._runs])

    def _covariance(self, left: Integers, past: Reals, right: Integers, other: Reals) -> Reals:
        """Of the rows ``left`` and ``right``, and what the runs gave there."""
        own = self._kernel.matrix(self._kernel.start, left, right) + _OFFSET
        return self._mixed(_deviations(past).T @ _deviations(other), own)

    def _variance(self, past: Reals) -> Reals:
        own = self._kernel.diagonal(self._kernel.start, np.empty((past.shape[1], 0), np.int64))
        return self._mixed(np.square(_deviations(past)).sum(axis=0), own + _OFFSET)

    def _mixed(self, products: Reals, own: Reals) -> Reals:
        """``products`` are sums over the runs: the sample covariance times the runs but one."""
        return (products + self._strength * own) / (max(len(self._runs) - 1, 0) + self._strength)

    def _expected(self, seen: Reals, inner: Reals) -> tuple[float, float]:
        """What told rewards of mean 0 and deviation 1 are moved and multiplied by."""
        if not len(self._rows):
            return 0.0, 1.0
        mean = seen.mean(axis=0)
        spread = float(mean.var() + np.trace(inner) / len(inner) - inner.mean())
        return float(mean.mean()), max(sqrt(max(spread, 0.0)), 0.1)


def _deviations(values: Reals) -> Reals:
    return np.asarray(values - values.mean(axis=0))


def _forward(factor: Reals, right: Reals) -> Reals:
    return np.asarray(solve_triangular(factor, right, lower=True, check_finite=False))
