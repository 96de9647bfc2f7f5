"""Adaptive Bayesian linear regression: one regression a task, on features that tasks share.

For a task with features ``Phi [n, D]``: ``y = Phi w + noise``, ``w ~ N(0, 1 / alpha)``, noise of
precision ``beta``. The features come from a network that all tasks train together, by the marginal
likelihood that this file computes with its gradients; ``autodl/agents/surrogates/ablr.py`` has the
network. The cost is linear in the number of trials.

Source: Perrone, Jenatton, Seeger, Archambeau: Scalable hyperparameter transfer learning,
NeurIPS 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """The negative logarithm of a task's marginal likelihood, and its gradients.

    ``features`` is ``[n, D]``; ``alpha`` and ``beta`` are with respect to the logarithms of both.
    """

    value: float
    features: Reals
    alpha: float
    beta: float


def negative_log_likelihood(
    features: Reals, values: Reals, log_alpha: float, log_beta: float
) -> Likelihood:
    """``-ln N(y; 0, Phi Phi^T / alpha + I / beta)``, without ``n / 2 ln 2 pi`` (equation 3).

    With ``r = beta / alpha`` and ``K = I + r Phi^T Phi = L L^T``: ``-n/2 ln beta + beta/2 (|y|^2 -
    r |L^-1 Phi^T y|^2) + sum ln L_ii``. With fewer trials than features the same of ``I + r Phi
    Phi^T``, whose determinant is equal. No jitter is needed. A task without trials gives 0.

    Args:
        features: float64 ``[n, D]``.
        values: float64 ``[n]``.
    """
    count, width = features.shape
    beta, ratio = exp(log_beta), exp(log_beta - log_alpha)
    if not count:
        return Likelihood(0.0, np.zeros_like(features), 0.0, 0.0)
    if count < width:
        factor = _factor(np.eye(count) + ratio * features @ features.T)
        inverse = _inverse(factor)
        residual = inverse @ values  # of the ridge regression
        spread = inverse @ features
    else:
        factor = _factor(np.eye(width) + ratio * features.T @ features)
        inverse = _inverse(factor)
        spread = features @ inverse
        residual = values - ratio * spread @ (features.T @ values)
    fit = beta * float(values @ residual)
    value = -0.5 * count * log_beta + 0.5 * fit + float(np.log(np.diag(factor)).sum())
    projected = features.T @ residual
    # d ln|K| / d Phi = 2 r (I + r Phi Phi^T)^-1 Phi; of the fit it is -2 r beta res (Phi^T res)^T
    by_features = ratio * (spread - beta * np.outer(residual, projected))
    by_ratio = (
        0.5 * ratio * (float((spread * features).sum()) - beta * float(projected @ projected))
    )
    return Likelihood(value, by_features, -by_ratio, by_ratio + 0.5 * fit - 0.5 * count)


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """A task's weights, given its trials: mean ``[D]`` and what is needed for variances.

    ``N(mean, (L L^T)^-1 / alpha)``.
    """

    mean: Reals
    factor: Reals
    alpha: float


def regressed(features: Reals, values: Reals, log_alpha: float, log_beta: float) -> Regression:
    """The posterior of a task's weights: mean ``r K^-1 Phi^T y``, covariance ``K^-1 / alpha``.

    Args:
        features: float64 ``[n, D]``; no rows give the prior.
        values: float64 ``[n]``.
    """
    ratio = exp(log_beta - log_alpha)
    factor = _factor(np.eye(features.shape[1]) + ratio * features.T @ features)
    half = _solve(factor, features.T @ values)
    return Regression(ratio * _solve(factor, half, transposed=True), factor, exp(log_alpha))


def _factor(matrix: Reals) -> Reals:
    return np.asarray(cholesky(matrix, lower=True))


def _solve(factor: Reals, right: Reals, *, transposed: bool = False) -> Reals:
    return np.asarray(solve_triangular(factor, right, trans=transposed, lower=True))


def _inverse(factor: Reals) -> Reals:
    half = _solve(factor, np.eye(len(factor)))
    return half.T @ half
