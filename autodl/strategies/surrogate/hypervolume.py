"""Expected hypervolume improvement: how much more of all objectives at once a row may dominate.

The objectives of a row are believed independent and normal. The region that a front does not
dominate is cut into boxes that do not overlap; in each of them what the row comes to dominate is a
product over objectives, so that the expectation is a sum of products, exact for any number of
objectives.

Source: Emmerich, Deutz, Klinkenberg, CEC 2011; boxes of slices as in the hypervolume itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from autodl.objectives.dominance import front
from autodl.strategies.surrogate.acquisition import expected_improvement
from autodl.strategies.surrogate.surrogate import Posterior, Reals

_MARGIN = 0.1
_AT_ONCE = 1 << 20  # numbers of an intermediate array
_LEAST = 1e-300


def free_boxes(values: Reals, reference: Reals) -> Reals:
    """Boxes that make up what is above ``reference`` and not dominated; disjoint but for faces.

    In each slice between two levels of the last objective, they are those of the rows that reach
    above it, with an objective less.

    Args:
        values: higher is better, finite, float64 ``[n, M]``, perhaps none.
        reference: float64 ``[M]``; rows that are not above it in all objectives do not count.

    Returns:
        Lower and upper corners, float64 ``[2, K, M]``; upper ones may be infinite.
    """
    above = values[(values > reference).all(axis=1)]
    boxes = list(_boxes(above[front(above)], reference))
    return np.array(boxes).transpose(1, 0, 2)


def _boxes(values: Reals, reference: Reals) -> Iterator[tuple[tuple[float, ...], ...]]:
    if values.shape[1] == 1:
        yield (float(max(values.max(initial=-np.inf), reference[0])),), (np.inf,)
        return
    levels = [float(reference[-1]), *np.unique(values[:, -1]).tolist(), np.inf]
    for low, high in pairwise(levels):
        reaching = values[values[:, -1] > low, :-1]
        for lower, upper in _boxes(reaching, reference[:-1]):
            yield (*lower, low), (*upper, high)


def expected_volume(mean: Reals, deviation: Reals, boxes: Reals) -> Reals:
    """How much of these boxes a row is expected to dominate, float64 ``[N]``.

    ``sum_k prod_j (EI_j(low_kj) - EI_j(high_kj))``, where ``EI_j(t) = E max(f_j - t, 0)``: of an
    edge from ``low`` to ``high`` a value of ``f`` covers ``max(f - low, 0) - max(f - high, 0)``.

    Args:
        mean: of every objective, float64 ``[N, M]``.
        deviation: likewise, above 0.
        boxes: lower and upper corners, float64 ``[2, K, M]``.
    """
    found = np.empty(len(mean))
    step = max(1, _AT_ONCE // boxes.shape[1])
    for first in range(0, len(mean), step):
        part = slice(first, first + step)
        covered = np.ones((len(mean[part]), boxes.shape[1]))
        for one, sd, (lower, upper) in zip(
            mean[part].T, deviation[part].T, boxes.transpose(2, 0, 1), strict=True
        ):
            levels, place = np.unique(np.concatenate([lower, upper]), return_inverse=True)
            gain = np.zeros((len(one), len(levels)))
            known = np.isfinite(levels)  # of an infinite level nothing is above
            gain[:, known] = expected_improvement(one[:, None], sd[:, None], levels[known])
            covered *= gain[:, place[: len(lower)]] - gain[:, place[len(lower) :]]
        found[part] = covered.sum(axis=1)
    return found


class Volume:
    """What known trials leave to be dominated.

    The reference is a tenth of the range below the worst known value of each objective, so that
    the ends of a front count as well.

    Args:
        values: of the known trials, on the scale of surrogates, float64 ``[n, M]``, ``n`` > 0.
        running: what is expected of the trials that are running, ``[q, M]``: as if they had it.
    """

    def __init__(self, values: Reals, running: Reals) -> None:
        worst = values.min(axis=0)
        reference = worst - _MARGIN * np.maximum(values.max(axis=0) - worst, 1e-6)
        self._boxes = free_boxes(np.vstack([values, running]), reference)

    def improvement(self, believed: Sequence[Posterior]) -> Reals:
        """The logarithm of the expected improvement of candidates, float64 ``[N]``.

        Args:
            believed: of each objective.
        """
        mean = np.stack([one.mean for one in believed], axis=1)
        deviation = np.sqrt(np.stack([one.variance for one in believed], axis=1))
        found = expected_volume(mean, deviation, self._boxes)
        return np.asarray(np.log(np.maximum(found, _LEAST)))
