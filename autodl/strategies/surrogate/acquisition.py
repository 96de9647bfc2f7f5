"""Acquisitions: how much is to be gained by trying a row, from what is believed of it.

Values are higher where trying pays more; ``best`` is the best reward so far. Closed forms are for
one row after the other. Those over draws are of whole batches: the draws ``f = mean + L z`` are
reparameterised, so that with the same ``z`` every batch is measured by the same luck, the value
of a batch is exactly monotone and submodular in it, and a greedy choice is within ``1 - 1/e`` of
the best.

Source: Wilson, Hutter, Deisenroth, Maximizing acquisition functions for Bayesian optimization,
NeurIPS 2018, arXiv:1805.10196; log EI as in Ament et al., NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr, ndtri
from scipy.stats import qmc

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.posterior import stable_cholesky
from autodl.strategies.surrogate.surrogate import Posterior, Reals

Name = Literal["ei", "ucb", "thompson"]
_LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)


def expected_improvement(mean: Reals, deviation: Reals, best: float) -> Reals:
    """``E max(f - best, 0)`` for normal ``f``, from 0; deviations are above 0."""
    z = (mean - best) / deviation
    density = np.exp(-0.5 * z * z - _LOG_ROOT_TWO_PI)
    return np.asarray(deviation * (z * ndtr(z) + density))


def log_expected_improvement(mean: Reals, deviation: Reals, best: float) -> Reals:
    """The logarithm of the same: finite and ordered where that has underflowed to 0."""
    z = (mean - best) / deviation
    low = np.minimum(z, -1.0)
    # phi(z) + z Phi(z) = phi(z) (1 + z sqrt(pi/2) erfcx(-z / sqrt 2)); far out 1 / z^2 is left
    part = 1 + low * np.sqrt(np.pi / 2) * erfcx(-low / np.sqrt(2))
    far = np.where(low < -1e3, -2 * np.log(-low), np.log(np.maximum(part, 1e-300)))
    near = np.maximum(z, -1.0)
    plain = np.log(near * ndtr(near) + np.exp(-0.5 * near * near - _LOG_ROOT_TWO_PI))
    small = -0.5 * low * low - _LOG_ROOT_TWO_PI + far
    return np.asarray(np.log(deviation) + np.where(z > -1, plain, small))


def probability_of_improvement(mean: Reals, deviation: Reals, best: float) -> Reals:
    """``P(f > best)``."""
    return np.asarray(np.exp(log_ndtr((mean - best) / deviation)))


def upper_confidence_bound(mean: Reals, deviation: Reals, beta: float) -> Reals:
    """``mean + sqrt(beta) deviation``."""
    return np.asarray(mean + np.sqrt(beta) * deviation)


def sobol_normals(count: int, dimensions: int, rng: np.random.Generator) -> Reals:
    """Standard normal points that fill their space evenly: a scrambled Sobol sequence.

    Args:
        count: a power of 2.

    Returns:
        Float64 ``[count, dimensions]``.
    """
    uniform = qmc.Sobol(dimensions, rng=rng).random(count)
    return np.asarray(ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)))


def batch_expected_improvement(draws: Reals, best: float) -> float:
    """q-EI: the mean over draws ``[S, q]`` of what the best of the batch gains."""
    return float(np.maximum(draws.max(axis=1) - best, 0).mean())


def batch_probability_of_improvement(draws: Reals, best: float, temperature: float) -> float:
    """q-PI, relaxed: the mean over draws of ``max_i sigmoid((f_i - best) / temperature)``."""
    away = (draws.max(axis=1) - best) / temperature
    return float(np.exp(-np.logaddexp(0, -away)).mean())


def batch_simple_regret(draws: Reals) -> float:
    """q-SR: the mean over draws of the best of the batch."""
    return float(draws.max(axis=1).mean())


def batch_upper_confidence_bound(mean: Reals, draws: Reals, beta: float) -> float:
    """q-UCB: the mean over draws of ``max_i mean_i + sqrt(beta pi / 2) |f_i - mean_i|``.

    For one row it is ``mean + sqrt(beta) deviation``, since ``E |z| = sqrt(2 / pi)``.
    """
    reach = mean + np.sqrt(beta * np.pi / 2) * np.abs(draws - mean)
    return float(reach.max(axis=1).mean())


def improvement_gradient(draws: Reals, best: float) -> Reals:
    """The pathwise gradient of q-EI with respect to the mean: how often each row wins, ``[q]``."""
    winners = draws.argmax(axis=1)
    won = draws.max(axis=1) > best
    return np.asarray(np.bincount(winners[won], minlength=draws.shape[1]) / len(draws))


def greedy(value: Callable[[list[int]], float], candidates: int, size: int) -> list[int]:
    """A batch that grows by the candidate with which it is worth most; of equals, the first.

    Args:
        value: of a batch of positions below ``candidates``.
    """
    batch: list[int] = []
    for _ in range(min(size, candidates)):
        left = [one for one in range(candidates) if one not in batch]
        batch.append(max(left, key=lambda one: value([*batch, one])))
    return batch


def improvement_beside(posterior: Posterior, running: int, best: float, normals: Reals) -> Reals:
    """q-EI of every row together with the first ``running`` ones, which are being tried.

    The greedy step of a batch, for all candidates at once and with the same draws.

    Args:
        normals: float64 ``[S, running + 1]``.

    Returns:
        Float64 ``[N - running]``.
    """
    first = np.arange(running)
    across = posterior.covariance(first)
    factor = stable_cholesky(across[:running])
    reached = (posterior.mean[:running] + normals[:, :running] @ factor.T).max(axis=1)
    mixed = np.linalg.solve(factor, across[running:].T)
    left = np.sqrt(np.maximum(posterior.variance[running:] - np.square(mixed).sum(axis=0), 1e-12))
    draws = posterior.mean[running:] + normals[:, :running] @ mixed + normals[:, running:] * left
    incumbent = np.maximum(reached, best)
    gain: Reals = np.maximum(draws - incumbent[:, None], 0).mean(axis=0)
    return np.asarray(gain + float(np.maximum(reached - best, 0).mean()))


def hallucinated_deviation(posterior: Posterior, running: int) -> Reals:
    """Deviations of the rows after the first ``running`` ones, once those are known: ``[N - q]``.

    What they give changes means, not variances, so these are known before.
    Source: Desautels, Krause, Burdick, GP-BUCB, JMLR 2014.
    """
    across = posterior.covariance(np.arange(running))
    factor = stable_cholesky(across[:running])
    mixed = np.linalg.solve(factor, across[running:].T)
    left = posterior.variance[running:] - np.square(mixed).sum(axis=0)
    return np.asarray(np.sqrt(np.maximum(left, 1e-12)))


def positions_of_best(scores: Reals, most: int) -> Integers:
    """Positions of the highest scores, the best first; of equal ones the first."""
    return np.argsort(-scores, kind="stable")[:most]
