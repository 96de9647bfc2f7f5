"""A layer's weights as sorted, weighted points, so that a large layer costs no more than many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodl.compression.errors import CompressionError

Array = NDArray[np.float64]
MOST_POINTS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class WeightedPoints:
    """Weights in ascending order, neighbours perhaps put together.

    A point stands for ``counts`` weights, of mean ``values`` and population variance
    ``variances``; float64 ``[P]`` each. As the variance is kept, a mixture's bound on the points
    is a bound on the weights: the one in which neighbours share their responsibilities.
    """

    values: Array
    counts: Array
    variances: Array

    @property
    def total(self) -> float:
        """How many weights they stand for."""
        return float(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean of the weights."""
        return float(self.counts @ self.values / self.total)

    @property
    def variance(self) -> float:
        """Population variance of the weights."""
        squares = (self.values - self.mean) ** 2 + self.variances
        return float(self.counts @ squares / self.total)

    def standardised(self) -> WeightedPoints:
        """The same weights with mean 0 and variance 1."""
        deviation = self.variance**0.5
        return WeightedPoints(
            (self.values - self.mean) / deviation, self.counts, self.variances / deviation**2
        )


def weighted_points(weights: ArrayLike, most: int = MOST_POINTS) -> WeightedPoints:
    """Sort weights; where there are more than ``most``, put neighbours together.

    Half of the cuts are evenly spaced between the extremes, the other half are quantiles: outliers
    stay apart, and so do tight clusters.

    Args:
        weights: of any shape, at least 1.

    Raises:
        CompressionError: there are none, or some are not finite.
    """
    values = np.sort(np.asarray(weights, np.float64), axis=None)
    if not len(values):
        raise CompressionError("there are no weights; a layer has at least 1")
    if not np.isfinite(values[[0, -1]]).all():  # sorting puts NaN last
        bad = int((~np.isfinite(values)).sum())
        raise CompressionError(
            f"{bad} of {len(values)} weights are not finite; train the network anew"
        )
    if len(values) <= most:
        return WeightedPoints(values, np.ones(len(values)), np.zeros(len(values)))
    even = np.searchsorted(values, np.linspace(values[0], values[-1], most // 2, endpoint=False))
    quantiles = np.linspace(0, len(values), most // 2, endpoint=False).astype(np.int64)
    starts = np.union1d(even, quantiles)
    counts = np.diff(starts, append=len(values)).astype(np.float64)
    means = np.add.reduceat(values, starts) / counts
    values -= np.repeat(means, counts.astype(np.int64))
    values *= values
    return WeightedPoints(means, counts, np.add.reduceat(values, starts) / counts)
