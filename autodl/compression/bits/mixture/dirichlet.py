"""A Dirichlet-process mixture of a layer's weights, and how many levels they need by it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodl.compression.bits.levels import Levels, bits_of, carrying, shortest_progression
from autodl.compression.bits.mixture.alignment import align_moves
from autodl.compression.bits.mixture.coordinate_ascent import (
    Mixture,
    ascend,
    bound_of,
    from_moments,
    merge_moves,
    moments_around,
    plus_plus_centres,
)
from autodl.compression.bits.mixture.gaussians import (
    GaussianGrid,
    Gaussians,
    NormalGamma,
    NormalGammaPrior,
)
from autodl.compression.bits.mixture.points import MOST_POINTS, WeightedPoints, weighted_points
from autodl.compression.errors import CompressionError

Array = NDArray[np.float64]

MASS = {"G": 0.99, "U": 0.9}  # of the components that count
LEAST_TOLERANCE = 1e-6  # float32 weights are known no better
_PINNED = 200.0  # pseudo-weights for each weight: the data cannot move such a precision
_FIRM = 0.02  # a smaller tolerance needs more: components would yield, and merge into one
_MERGE_POINTS = (
    4_096  # enough to find the clusters; all points have the last word on where they are
)


@dataclass(frozen=True, slots=True, eq=False)
class MixtureFit:
    """A fitted mixture, its components by decreasing mass; ``T`` is the truncation.

    ``means`` and ``deviations`` (``E[lambda]^-0.5``) are in the units of the weights, ``weights``
    (``E[pi]``, of sum 1) the posterior mass, float64 ``[T]`` each. The first ``components`` carry
    the mass; those that hold no weights, and have mass from the prior alone, do not count.
    ``levels`` are what the weights are rounded to, ``2^bits`` of them. ``bounds`` are those after
    every sweep and every merge that was kept, in nats, for the points that the sweeps saw; the last
    are for all weights, ``binning_change`` below what they are without binning.
    """

    means: Array
    deviations: Array
    weights: Array
    components: int
    bits: int
    levels: Levels
    bounds: tuple[float, ...]
    binning_change: float

    @property
    def bound(self) -> float:
        """The evidence lower bound, in nats."""
        return self.bounds[-1]


def fit_mixture(
    weights: ArrayLike,
    *,
    truncation: int = 32,
    alpha: float = 1.0,
    variant: str = "G",
    seed: int = 0,
    tolerance: float | None = None,
    prior: NormalGammaPrior | None = None,
    mass: float | None = None,
    start: ArrayLike | None = None,
    sweeps: int = 100,
    most_points: int = MOST_POINTS,
    least_bits: int = 0,
) -> MixtureFit:
    """Fit a truncated Dirichlet-process mixture to weights, and read off levels and bits.

    The fit works on weights of mean 0 and deviation 1, so neither depends on their scale. A layer
    of a trained network is one bump, for which a mixture of free precision is one component: it is
    ``tolerance`` that turns it into a number of levels.

    Args:
        weights: of any shape, at least ``truncation`` of them.
        truncation: most components, at least 1; the bits are at most ``log2`` of it, rounded up.
        alpha: of the Dirichlet process; more means more components.
        variant: ``G``, components of unknown mean and precision, or ``U``, an even grid of one
            precision, whose levels are a progression.
        seed: draws the first centres.
        tolerance: deviation of a component, as a share of the weights', at least 1e-6. G pins it;
            without it the precisions are learnt. In U it is half a step of the grid by default.
        prior: of G, in the units of the weights, in place of what ``tolerance`` says.
        mass: of the components that count, by default 0.99 (G) or 0.9 (U).
        start: centres to start from, filled up with those of k-means++.
        sweeps: at most so many, before the merges and again after them.
        most_points: larger layers are put together to so many weighted points.
        least_bits: of the levels, whatever the mass; the heaviest of the lighter components are
            levels too then, and if there are none the last level is repeated.

    Raises:
        CompressionError: too few, constant or not finite weights, or an option out of range.
    """
    mass = MASS.get(variant) if mass is None else mass
    _check_options(truncation, alpha, variant, tolerance, mass, least_bits)
    flat = np.asarray(weights, np.float64).ravel()
    points = _checked_points(flat, truncation, most_points)
    shift, scale = points.mean, points.variance**0.5
    points = points.standardised()
    coarse = points
    if len(points.values) > _MERGE_POINTS:
        coarse = weighted_points(flat, _MERGE_POINTS).standardised()
    gaussians = _gaussians(points, truncation, variant, tolerance, prior, shift, scale)
    given = None if start is None else (np.asarray(start, np.float64) - shift) / scale
    mixture = _start(coarse, gaussians, truncation, alpha, seed, given)
    mixture, bounds = ascend(coarse, mixture, sweeps)
    mixture, merged = merge_moves(coarse, mixture)
    mixture, aligned = align_moves(coarse, mixture)
    mixture, last = ascend(points, mixture, sweeps)
    missing = 0.0
    if points.variances.any():
        every = weighted_points((flat - shift) / scale, len(flat))
        missing = bound_of(every, mixture) - bound_of(points, mixture)
    # the density of w is that of (w - shift) / scale, divided by scale
    jacobian = len(flat) * float(np.log(scale))
    bounds = [bound - jacobian for bound in [*bounds, *merged, *aligned, *last]]
    return _read_off(mixture, shift, scale, mass or 0.0, least_bits, bounds, missing)


def check_weights(weights: ArrayLike, truncation: int) -> None:
    """Refuse weights that ``fit_mixture`` would refuse.

    Raises:
        CompressionError: they are too few, constant or not finite.
    """
    _checked_points(np.asarray(weights, np.float64).ravel(), truncation, MOST_POINTS)


def _check_options(
    truncation: int,
    alpha: float,
    variant: str,
    tolerance: float | None,
    mass: float | None,
    least_bits: int,
) -> None:
    if variant not in MASS:
        raise CompressionError(f"the variant is 'G' or 'U', got {variant!r}")
    if not 1 <= truncation <= 65_536:
        raise CompressionError(f"the truncation is 1 to 65536 components, got {truncation}")
    if not 0 < alpha < float("inf"):
        raise CompressionError(f"alpha must be positive and finite, got {alpha}")
    if tolerance is not None and not LEAST_TOLERANCE <= tolerance < float("inf"):
        raise CompressionError(
            f"the tolerance must be finite and at least {LEAST_TOLERANCE:g}, got {tolerance}"
        )
    if mass is None or not 0 < mass < 1:
        raise CompressionError(f"the mass must be between 0 and 1, got {mass}")
    if not 0 <= least_bits <= bits_of(truncation):
        raise CompressionError(
            f"levels of {truncation} components have 0 to {bits_of(truncation)} bits, got"
            f" {least_bits} at least"
        )


def _checked_points(flat: Array, truncation: int, most_points: int) -> WeightedPoints:
    if 0 < len(flat) < truncation:
        raise CompressionError(
            f"{len(flat)} weights are fewer than the truncation {truncation}; use a truncation of"
            f" {2 ** int(log2(len(flat)))}, or keep the layer as it is"
        )
    points = weighted_points(flat, most_points)
    if points.values[0] == points.values[-1]:
        raise CompressionError(
            f"all {len(flat)} weights are {points.values[0]:g}: a constant layer has no levels to"
            " find; keep it as it is"
        )
    return points


def _gaussians(
    points: WeightedPoints,
    truncation: int,
    variant: str,
    tolerance: float | None,
    prior: NormalGammaPrior | None,
    shift: float,
    scale: float,
) -> Gaussians:
    """Components without weights, for standardised points."""
    low, high = float(points.values[0]), float(points.values[-1])
    nothing = np.zeros(truncation)
    if variant == "U":
        low, high = max(low, -3.0), min(high, 3.0)
        tolerance = tolerance or 0.5 * (high - low) / max(truncation - 1, 1)
        return GaussianGrid.between(low, high, truncation, tolerance**-2)
    if prior is not None:
        prior = prior.scaled(shift, scale)
    elif tolerance is not None:
        shape = _PINNED * points.total * max(1.0, (_FIRM / tolerance) ** 2)
        prior = NormalGammaPrior(0.0, 1e-2, shape, shape * tolerance**2)
    else:
        prior = NormalGammaPrior(0.0, 1e-2, 1.0, ((high - low) / (4.0 * truncation)) ** 2)
    return NormalGamma(prior, nothing, nothing + prior.strength, nothing + 1.0, nothing + 1.0)


def _start(
    points: WeightedPoints,
    gaussians: Gaussians,
    truncation: int,
    alpha: float,
    seed: int,
    given: Array | None,
) -> Mixture:
    if isinstance(gaussians, GaussianGrid):
        centres = gaussians.scores().means
    else:
        centres = plus_plus_centres(points, truncation, np.random.default_rng(seed), given)
    moments = moments_around(points, centres, truncation)
    return from_moments(moments, gaussians, alpha)


def _read_off(
    mixture: Mixture,
    shift: float,
    scale: float,
    mass: float,
    least_bits: int,
    bounds: list[float],
    binning_change: float,
) -> MixtureFit:
    scores, weights = mixture.gaussians.scores(), mixture.sticks.weights()
    order = np.argsort(-weights, kind="stable")
    means = shift + scale * scores.means[order]
    components = min(carrying(weights, mass), mixture.active)
    if isinstance(mixture.gaussians, GaussianGrid):
        grid = mixture.gaussians
        along = np.zeros(len(weights))
        along[grid.places.astype(np.intp)] = weights
        found = shortest_progression(along, mass, max(least_bits, 1))
        first = grid.offset + grid.step * found.start
        levels = Levels.even(shift + scale * first, scale * grid.step * found.interval, found.bits)
    else:
        bits = max(bits_of(components), least_bits)
        kept = min(2**bits, mixture.active)
        # mean weights, not posterior means, which the prior draws away from them a little
        centres = mixture.moments.means[order[:kept]]
        levels = Levels.codebook(shift + scale * centres, bits)
    return MixtureFit(
        means=means,
        deviations=scale * scores.precisions[order] ** -0.5,
        weights=weights[order],
        components=components,
        bits=levels.bits,
        levels=levels,
        bounds=tuple(bounds),
        binning_change=binning_change,
    )
