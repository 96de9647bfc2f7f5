"""Bringing an even grid in line with the clusters that it has to hit.

A grid laid from end to end hits evenly spaced clusters between its points, and its nearest points
are no progression then. Here a progression is fitted to the components, and the grid laid so that
the progression is among its points; as with every move, the bound decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autodl.compression.bits.levels import bits_of
from autodl.compression.bits.mixture.coordinate_ascent import (
    MERGE_SWEEPS,
    Mixture,
    bound_of,
    from_moments,
    swept_towards,
)
from autodl.compression.bits.mixture.gaussians import GaussianGrid, Moments
from autodl.compression.bits.mixture.points import WeightedPoints

Array = NDArray[np.float64]

_FEW = 0.5  # weights: a point of the grid with fewer is no cluster
_ROUNDS = 5  # of rounding to the progression and fitting it again


def align_moves(points: WeightedPoints, mixture: Mixture) -> tuple[Mixture, list[float]]:
    """Lay the grid along the best progression of 2, 4, ... points wherever that raises the bound.

    Args:
        mixture: of ``GaussianGrid``, swept before; another is given back as it is.

    Returns:
        The mixture, and its ``bound_of`` after every move that was kept.
    """
    bounds: list[float] = []
    if not isinstance(mixture.gaussians, GaussianGrid):
        return mixture, bounds
    known = bound_of(points, mixture)
    for bits in range(1, bits_of(len(mixture.moments.counts)) + 1):
        moments, grid = mixture.moments, mixture.gaussians
        clusters = moments.counts > _FEW
        counts, means = moments.counts[clusters], moments.means[clusters]
        if len(counts) < 2 or 2**bits > len(moments.counts):
            break
        laid = _lay(grid, *fit_progression(means, counts, 2**bits), 2**bits)
        moved = from_moments(_gathered(moments, laid), laid, mixture.alpha)
        moved, bound = swept_towards(points, moved, MERGE_SWEEPS, known)
        if bound > known:
            mixture, known = moved, bound
            bounds.append(bound)
    return mixture, bounds


def fit_progression(means: Array, counts: Array, length: int) -> tuple[float, float]:
    """Offset and step of the ``length`` evenly spaced numbers nearest to weighted means.

    All ways to let the means span 2 to ``length`` of the numbers are tried; of equally good ones
    the first is taken.

    Args:
        means: at least 2 different ones, float64 ``[K]``.
        counts: their weights, positive.

    Returns:
        Offset, and step above 0, of the least weighted sum of squares that was found.
    """
    low, reach = float(means.min()), float(np.ptp(means))
    best = (float("inf"), low, reach)
    for span in range(2, length + 1):
        offset, step = low, reach / (span - 1)
        for _ in range(_ROUNDS):
            places = np.clip(np.rint((means - offset) / step), 0, length - 1)
            place, mean = np.average(places, weights=counts), np.average(means, weights=counts)
            spread = counts @ (places - place) ** 2
            fitted = counts @ ((places - place) * (means - mean)) / spread if spread > 0 else 0.0
            if fitted <= 0:
                break
            offset, step = float(mean - fitted * place), float(fitted)
        places = np.clip(np.rint((means - offset) / step), 0, length - 1)
        error = float(counts @ (means - offset - step * places) ** 2)
        if error < best[0] * (1 - 1e-9):
            best = (error, offset, step)
    return best[1], best[2]


def _lay(grid: GaussianGrid, offset: float, step: float, length: int) -> GaussianGrid:
    """A grid of as many points, some of which are the progression."""
    points = len(grid.places)
    interval = (points - 1) // (length - 1)
    first = (points - 1 - interval * (length - 1)) // 2
    fine = step / interval
    places = np.arange(points, dtype=np.float64)
    return GaussianGrid(offset - first * fine, fine, places, grid.precision)


def _gathered(moments: Moments, grid: GaussianGrid) -> Moments:
    """Moments by place, every component's weights at its nearest place."""
    points = len(grid.places)
    nearest = np.rint((moments.means - grid.offset) / grid.step)
    nearest = np.clip(nearest, 0, points - 1).astype(np.intp)
    counts: Array = np.bincount(nearest, moments.counts, points).astype(np.float64)
    held = np.maximum(counts, np.finfo(np.float64).tiny)
    means = np.bincount(nearest, moments.counts * moments.means, points) / held
    squares = moments.variances + (moments.means - means[nearest]) ** 2
    return Moments(counts, means, np.bincount(nearest, moments.counts * squares, points) / held)
