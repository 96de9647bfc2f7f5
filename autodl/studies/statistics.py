"""Comparing results over several seeds: best so far, spreads, rank correlation, paired tests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.system.packages import require

Curves = NDArray[np.float64]
Row = Sequence[float] | Curves


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
class Spread:
    """Of the results that are numbers: how many, mean, median and deviation (n - 1).

    The deviation is NaN for one result, all three are for none.
    """

    n: int
    mean: float
    sd: float
    median: float

    @classmethod
    def of(cls, values: Row) -> Spread:
        """Of results, of which NaN are left out."""
        known = np.asarray(values, float)
        known = known[~np.isnan(known)]
        if not len(known):
            return cls(0, math.nan, math.nan, math.nan)
        sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
        return cls(len(known), float(known.mean()), sd, float(np.median(known)))


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired differences ``first - second`` of several seeds.

    ``low`` and ``high`` bound the mean with 95 % confidence and ``p`` is two-sided, both by
    Student's t of the paired differences (SciPy's ``ttest_1samp``), which supposes that these are
    about normal. ``wilcoxon`` is the p-value of the signed-rank test, which does not, but with
    three seeds can never be below 0.25; ``bootstrap_low`` and ``bootstrap_high`` bound the mean by
    10,000 resamples of the seeds (percentiles, fixed seed), too narrow for few seeds.

    Fewer than two seeds have no interval and no p (NaN), but for the bootstrap, which is then the
    mean. Where all differences are equal, the interval is that number; both p are 1 if it is 0,
    else ``p`` is NaN, as there is no spread to hold it against. ``left_out`` counts the seeds that
    take no part in any of it, since one of the two has no number (NaN); where none is left, all
    but the counts are NaN.
    """

    mean: float
    low: float
    high: float
    p: float
    wilcoxon: float
    bootstrap_low: float
    bootstrap_high: float
    wins: int
    ties: int
    losses: int
    left_out: int


def compare_paired(first: Row, second: Row) -> Difference:
    """Compare results of the same seeds, in the same order; pairs with a NaN are left out.

    Raises:
        ValueError: different or no numbers of results.
        MissingPackageError: SciPy is not installed.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"paired results must be equally many, got {len(first)} and {len(second)}")
    pairs = np.asarray(first, float) - np.asarray(second, float)
    differences = pairs[~np.isnan(pairs)]
    low, high, p = _student(differences)
    least, most = _bootstrap(differences)
    return Difference(
        mean=float(differences.mean()) if len(differences) else math.nan,
        low=low,
        high=high,
        p=p,
        wilcoxon=_signed_rank(differences),
        bootstrap_low=least,
        bootstrap_high=most,
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        left_out=len(pairs) - len(differences),
    )


def mean_interval(values: Row) -> tuple[float, float]:
    """Bounds of the mean with 95 % confidence, by Student's t; NaN for fewer than two numbers."""
    known = np.asarray(values, float)
    return _student(known[~np.isnan(known)])[:2]


def _student(values: Curves) -> tuple[float, float, float]:
    """Interval of the mean, and p of its being 0."""
    if len(values) < 2:
        return math.nan, math.nan, math.nan
    if np.ptp(values) == 0:
        value = float(values[0])
        return value, value, math.nan if value else 1.0
    require("scipy")
    from scipy.stats import ttest_1samp  # takes a second to import

    found = ttest_1samp(values, 0.0)
    low, high = found.confidence_interval(0.95)
    return float(low), float(high), float(found.pvalue)


def _signed_rank(differences: Curves) -> float:
    if len(differences) < 2:
        return math.nan
    if not differences.any():
        return 1.0
    require("scipy")
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue)


def _bootstrap(differences: Curves) -> tuple[float, float]:
    if not len(differences):
        return math.nan, math.nan
    rng = np.random.default_rng(0)
    drawn = rng.choice(differences, size=(10_000, len(differences))).mean(axis=1)
    low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    return low, high


def rank_correlation(one: Row, two: Row) -> float:
    """Spearman's rho; NaN if all of one side are equal.

    Raises:
        ValueError: of different lengths, or fewer than 2.
    """
    from scipy.stats import ConstantInputWarning, spearmanr

    if len(one) != len(two) or len(one) < 2:
        raise ValueError(f"a correlation is of two equally long rows, got {len(one)}, {len(two)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        return float(spearmanr(one, two).statistic)
