"""A Gaussian process that begins with what earlier runs have found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.gaussian_process import GaussianProcess
from autodl.strategies.surrogate.kernels import Kernel, WithFeatures
from autodl.strategies.surrogate.posterior import NormalPosterior
from autodl.strategies.surrogate.surrogate import PastScores, Reals


class InformedProcess:
    """A Gaussian process whose mean is what processes of earlier runs believe, on average.

    Beside the kernel there is a line in what each of them believes, and in a constant: how far a
    run is to be trusted, and where the present scores lie beside its own, the rewards say. Without
    earlier runs it is ``GaussianProcess`` itself. A stack of processes, one for each run, is due
    to Golovin et al., Google Vizier, KDD 2017, section 3.3.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._process = GaussianProcess(kernel)
        self._past: list[GaussianProcess] = []
        self._known: Integers = np.empty((0, 0), np.int64)
        self._expected: Reals = np.empty(0)
        self._fitted = False  # to some rows

    @property
    def settings(self) -> Reals:
        """Those of the process, float64 ``[P + 1]``."""
        return self._process.settings

    def learn_from(self, past: Sequence[PastScores]) -> None:
        """Take in earlier runs, in place of those before; called before the first ``fit``."""
        self._past = [GaussianProcess(self._kernel) for _ in past]
        for process, (rows, rewards) in zip(self._past, past, strict=True):
            process.fit(rows, rewards)
        lines = WithFeatures(self._kernel, self._recalled, 1 + len(past))
        self._process = GaussianProcess(lines if past else self._kernel)

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn from rows; there may be none where there are earlier runs."""
        self._known, self._expected = rows, self._mean(rows)
        self._fitted = len(rows) > 0
        if self._fitted:
            self._process.fit(rows, rewards - self._expected)

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows.

        Settings are kept; but those of a fit to no rows are learned with every further row.
        """
        self._known = np.vstack([self._known, rows])
        for row in rows:  # one by one: sums of several rows at once may round otherwise
            self._expected = np.append(self._expected, self._mean(row[None]))
        if self._fitted:
            self._process.update(rows, rewards - self._expected)
        elif len(rows):
            self._process.fit(self._known, rewards - self._expected)

    def posterior(self, rows: Integers) -> NormalPosterior:
        """What it believes of these rows."""
        expected = self._mean(rows)
        if len(self._known):
            left = self._process.posterior(rows)
            return NormalPosterior(expected + left.mean, left.variance, left.between)
        kernel, settings = self._kernel, self._kernel.start

        def between(columns: Integers) -> Reals:
            return kernel.matrix(settings, rows, rows[columns])

        return NormalPosterior(expected, kernel.diagonal(settings, rows), between)

    def _mean(self, rows: Integers) -> Reals:
        if not self._past or not len(rows):
            return np.zeros(len(rows))
        return np.asarray(self._recalled(rows)[:, 1:].mean(axis=1))

    def _recalled(self, rows: Integers) -> Reals:
        """One, and what each earlier run's process believes, float64 ``[N, 1 + runs]``."""
        return np.stack([np.ones(len(rows)), *(one.mean(rows) for one in self._past)], axis=1)
