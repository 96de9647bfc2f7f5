"""A prior that earlier runs have: the mean and the covariance of what they found.

Empirical Bayes without a family of kernels: ``N`` complete runs on the same ``M`` candidates give
the prior of the next one, and the estimates of its posterior are unbiased, although the covariance
is an estimate itself. Candidates may be the architectures of a space, or the weights of features
(``weights_of_runs``), which is the form for spaces that no run has seen whole.

Source: Wang, Kim, Kaelbling: Regret bounds for meta Bayesian optimization with an unknown Gaussian
process prior, NeurIPS 2018, arXiv:1811.09558.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """``runs`` earlier runs: mean ``[M]`` and sample covariance ``[M, M]``, with the runs' noise.

    The covariance is singular wherever there are no more runs than candidates; only blocks of
    fewer observed candidates than ``runs - 1`` are inverted.
    """

    mean: Reals
    covariance: Reals
    runs: int


def estimated_prior(values: Reals) -> Prior:
    """The prior of complete runs: float64 ``[N, M]``, ``N`` > 1 (section 4.1)."""
    mean = values.mean(axis=0)
    centred = values - mean
    return Prior(mean, centred.T @ centred / (len(values) - 1), len(values))


def shrunk(prior: Prior, towards: Reals, strength: float) -> Prior:
    """The same, mixed with a covariance that is believed as if ``strength`` runs had shown it.

    Not of the paper, whose bounds want more runs than trials: with two or three earlier runs the
    sample covariance has one direction or two, and all others would be certain. It is the mean of
    an inverse Wishart belief; strength 0 is the paper's. ``runs`` grows by the strength.

    Args:
        towards: positive definite ``[M, M]``.
    """
    known = prior.runs - 1
    mixed = (known * prior.covariance + strength * towards) / (known + strength)
    return Prior(prior.mean, mixed, prior.runs + round(strength))


def posterior(prior: Prior, observed: Sequence[int], values: Reals) -> tuple[Reals, Reals]:
    """Mean ``[M]`` and covariance ``[M, M]`` after ``t`` candidates gave ``values``.

    ``mean_x + K_xo K_oo^-1 (y - mean_o)`` and ``(N - 1) / (N - t - 1)`` times the Schur complement:
    both unbiased, since the complement is a Wishart variable of ``N - t - 1`` degrees of freedom.

    Raises:
        ValueError: there are not more runs than ``t + 1``.
    """
    seen = np.asarray(observed, np.int64)
    factor = correction(prior.runs, len(seen))
    across = prior.covariance[:, seen]
    solved = np.linalg.solve(across[seen], across.T)
    mean = prior.mean + (values - prior.mean[seen]) @ solved
    return mean, factor * (prior.covariance - across @ solved)


def correction(runs: int, trials: int) -> float:
    """``(N - 1) / (N - t - 1)``, by which the estimated variance is too small.

    Raises:
        ValueError: there are not more runs than ``t + 1``.
    """
    if trials >= runs - 1:
        raise ValueError(
            f"{runs} runs tell the variance after fewer than {runs - 1} trials, got {trials}"
        )
    return (runs - 1) / (runs - trials - 1)


def confidence_width(runs: int, trials: int, most: int, doubt: float = 0.05) -> float:
    """``zeta_t``: how many deviations the upper confidence bound reaches (theorem 2).

    It grows with the trials, falls with the runs, and tends to ``sqrt(2 ln(3 / doubt))``.

    Args:
        most: trials that there will be.
        doubt: probability with which the bound on the regret may fail.

    Raises:
        ValueError: fewer than ``4 ln(6 / doubt) + most + 2`` runs, for which there is no bound.
    """
    doubts = log(6 / doubt)
    if runs < 4 * doubts + most + 2:
        raise ValueError(
            f"the bound needs {4 * doubts + most + 2:.1f} runs for {most} trials, got {runs}"
        )
    left = runs - trials - 1
    inner = runs - 3 + trials + 2 * sqrt(trials * doubts) + 2 * doubts
    reach = sqrt(6 * inner / (doubt * runs * left)) + sqrt(2 * log(3 / doubt))
    return reach / sqrt(1 - 2 * sqrt(doubts / (runs - trials)))


def probability_of_improvement_score(mean: Reals, deviation: Reals, target: float) -> Reals:
    """``(mean - target) / deviation``: the order of the paper's second acquisition.

    Args:
        target: no lower than what can be reached.
    """
    return (mean - target) / deviation
