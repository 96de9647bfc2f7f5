"""Comparing strategies over several seeds: best so far, its spread, and a paired test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.system.packages import require

Curves = NDArray[np.float64]


def best_so_far(rewards: Curves) -> Curves:
    """Running maximum along the last axis; NaN (a failed trial) never counts.

    NaN where nothing has succeeded yet.
    """
    filled = np.where(np.isnan(rewards), -np.inf, rewards)
    best = np.maximum.accumulate(filled, axis=-1)
    return np.where(np.isneginf(best), np.nan, best)


def trials_to_reach(best: Curves, levels: Curves) -> Curves:
    """Trials until each row's best so far is at least its level; NaN where it never is.

    Args:
        best: float64 ``[seeds, trials]``, see ``best_so_far``.
        levels: float64 ``[seeds]``; NaN is never reached.
    """
    there = best >= levels[:, None]
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1.0, np.nan)


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired differences ``first - second`` of several seeds.

    ``low`` and ``high`` bound the mean with 95 % confidence (bootstrap over seeds, 10,000
    resamples, fixed seed); ``p`` is of the two-sided Wilcoxon signed-rank test, 1 where all
    differences are 0 and NaN for fewer than two seeds. ``left_out`` counts the seeds that take no
    part in any of it, since one of the two had no success (NaN); where none is left, mean and
    bounds are NaN as well.
    """

    mean: float
    low: float
    high: float
    p: float
    wins: int
    ties: int
    losses: int
    left_out: int


def compare_paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare results of the same seeds, in the same order; pairs with a NaN are left out.

    Raises:
        ValueError: different or no numbers of results.
        MissingPackageError: SciPy is not installed.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"paired results must be equally many, got {len(first)} and {len(second)}")
    pairs = np.asarray(first, float) - np.asarray(second, float)
    differences = pairs[~np.isnan(pairs)]
    mean = low = high = p = float("nan")
    if len(differences):
        mean = float(differences.mean())
        rng = np.random.default_rng(0)
        drawn = rng.choice(differences, size=(10_000, len(differences))).mean(axis=1)
        low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    if len(differences) > 1:
        require("scipy")
        from scipy.stats import wilcoxon

        p = float(wilcoxon(differences).pvalue) if differences.any() else 1.0
    return Difference(
        mean=mean,
        low=low,
        high=high,
        p=p,
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        left_out=len(pairs) - len(differences),
    )
