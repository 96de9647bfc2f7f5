"""Several objectives: a weighing drawn anew for every proposal, and what improves on it.

Source: Knowles, ParEGO, IEEE TEC 2006; with a surrogate for each objective, so that these are
weighed after they were predicted: Paria, Kandasamy, Poczos, UAI 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodl.strategies.surrogate.surrogate import Posterior, Reals

_AUGMENTATION = 0.05


def random_weights(objectives: int, rng: np.random.Generator) -> Reals:
    """Weights that sum to 1, uniform among all such, float64 ``[M]``."""
    return rng.dirichlet(np.ones(objectives))


def augmented_chebyshev(values: Reals, weights: Reals, ideal: Reals) -> Reals:
    """How near rows come to an ideal, by their worst weighted distance; 0 there, else below.

    ``-(max_j w_j (ideal_j - v_j) + 0.05 sum_j w_j (ideal_j - v_j))``. Every row of a front is the
    best for some weights, also where the front is not convex.

    Args:
        values: higher is better, float64 ``[..., M]``.
    """
    short = weights * (ideal - values)
    return np.asarray(-(short.max(axis=-1) + _AUGMENTATION * short.sum(axis=-1)))


def weighed_improvement(
    mean: Reals, deviation: Reals, weights: Reals, ideal: Reals, best: float, normals: Reals
) -> Reals:
    """By how much rows are expected to exceed ``best`` as they are weighed, float64 ``[N]``.

    Objectives are believed independent of each other.

    Args:
        mean: of every objective, float64 ``[N, M]``.
        deviation: likewise.
        best: the highest ``augmented_chebyshev`` so far.
        normals: standard normal points, float64 ``[S, M]``.
    """
    gain = np.zeros(len(mean))
    for point in normals:
        reached = augmented_chebyshev(mean + deviation * point, weights, ideal)
        gain += np.maximum(reached - best, 0)
    return gain / len(normals)


class Weighing:
    """The objectives of known trials and of candidates, weighed at random.

    Args:
        values: of the known trials, on the scale of surrogates, float64 ``[n, M]``, ``n`` > 0.
    """

    def __init__(self, values: Reals, rng: np.random.Generator) -> None:
        self._weights = random_weights(values.shape[1], rng)
        self._ideal = values.max(axis=0)
        self.known: Reals = augmented_chebyshev(values, self._weights, self._ideal)
        """How near each known trial comes to the ideal, float64 ``[n]``."""

    def improvement(self, believed: Sequence[Posterior], normals: Reals) -> Reals:
        """By how much candidates are expected to exceed the best known trial, float64 ``[N]``.

        Of those that no draw lets exceed it, nearer ones are a millionth better.

        Args:
            believed: of each objective.
            normals: standard normal points, float64 ``[S, M]``.
        """
        mean = np.stack([one.mean for one in believed], axis=1)
        deviation = np.sqrt(np.stack([one.variance for one in believed], axis=1))
        best = float(self.known.max())
        gain = weighed_improvement(mean, deviation, self._weights, self._ideal, best, normals)
        return np.asarray(gain + 1e-6 * augmented_chebyshev(mean, self._weights, self._ideal))
