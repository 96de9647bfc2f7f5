"""Coordinate ascent in closed form, for truncated mixtures of Gaussians in one dimension.

All that a sweep keeps of the responsibilities are the moments of every component, gathered block by
block: memory does not grow with weights times components. Mean-field mixtures split clusters too
often; ``merge_moves`` puts neighbours together wherever that raises the bound.

Source: Blei and Jordan, 2006; Hughes and Sudderth, "Memoized online variational inference for
Dirichlet process mixture models", 2013 (merge moves).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autodl.compression.bits.mixture.gaussians import Gaussians, Moments
from autodl.compression.bits.mixture.points import WeightedPoints
from autodl.compression.bits.mixture.sticks import Sticks

Array = NDArray[np.float64]

MERGE_SWEEPS = 15
_BLOCK = 1 << 17  # numbers in a block of responsibilities: 1 MB, which fits into the cache
_EMPTY = 1e-9  # weights: a component with fewer is left out; it would not come back


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A posterior over ``T`` components, the largest first, once it was swept.

    ``bound`` is the evidence lower bound, in nats, of the parameters that ``moments`` were
    gathered with; minus infinity before the first sweep.
    """

    alpha: float
    sticks: Sticks
    gaussians: Gaussians
    moments: Moments
    bound: float = -np.inf

    @property
    def active(self) -> int:
        """How many components hold weights."""
        return int((self.moments.counts > _EMPTY).sum())


def from_moments(moments: Moments, gaussians: Gaussians, alpha: float) -> Mixture:
    """The best posterior for given responsibilities, of which moments are all that counts.

    Args:
        gaussians: of the same components in the same order; their parameters are not used.
    """
    order = np.argsort(-moments.counts, kind="stable")
    moments = moments.reordered(order)
    return Mixture(
        alpha=alpha,
        sticks=Sticks.posterior(moments.counts, alpha),
        gaussians=gaussians.reordered(order).updated(moments),
        moments=moments,
    )


def sweep(points: WeightedPoints, mixture: Mixture) -> Mixture:
    """One round of coordinate ascent: responsibilities, order of size, sticks, components.

    The bound of the result is that of ``mixture`` with its best responsibilities, so the bounds of
    successive sweeps never fall.
    """
    before = mixture.bound == -np.inf
    active = len(mixture.moments.counts) if before else mixture.active
    moments, likelihood = _gather(points, mixture, active)
    swept = from_moments(moments, mixture.gaussians, mixture.alpha)
    return replace(swept, bound=likelihood - _divergence(mixture))


def bound_of(points: WeightedPoints, mixture: Mixture) -> float:
    """The bound of a mixture on other points, with their best responsibilities."""
    _, likelihood = _gather(points, mixture, max(mixture.active, 1))
    return likelihood - _divergence(mixture)


def _divergence(mixture: Mixture) -> float:
    return mixture.sticks.divergence(mixture.alpha) + mixture.gaussians.divergence()


def _gather(points: WeightedPoints, mixture: Mixture, active: int) -> tuple[Moments, float]:
    """Moments of the best responsibilities of the first ``active`` components, and the bound's sum.

    That is ``sum_n log sum_t exp(E[log pi_t] + E[log N(w_n | t)])``.
    """
    scores, log_weights = mixture.gaussians.scores(), mixture.sticks.log_weights()[:active]
    means, halves = scores.means[:active], -0.5 * scores.precisions[:active]
    offsets = scores.offsets[:active] + log_weights
    sums = np.zeros((4, active))
    spread = bool(points.variances.any())
    rows = max(_BLOCK // active, 1)
    likelihood = 0.0
    for first in range(0, len(points.values), rows):
        block = slice(first, first + rows)
        counts, variances = points.counts[block], points.variances[block]
        away = points.values[block, None] - means
        shares = away * away
        if spread:
            shares += variances[:, None]
        shares *= halves
        shares += offsets
        peaks = shares.max(axis=1)
        shares -= peaks[:, None]
        np.exp(shares, out=shares)
        totals = shares.sum(axis=1)
        likelihood += float(counts @ (peaks + np.log(totals)))
        shares *= (counts / totals)[:, None]
        sums[0] += shares.sum(axis=0)
        if spread:
            sums[3] += variances @ shares
        shares *= away  # differences from the old means: sums of squares would cancel
        sums[1] += shares.sum(axis=0)
        shares *= away
        sums[2] += shares.sum(axis=0)
    return _moments(sums, scores.means, active), likelihood


def _moments(sums: Array, old_means: Array, active: int) -> Moments:
    counts, means = np.zeros_like(old_means), old_means.copy()
    variances = np.zeros_like(old_means)
    held = np.maximum(sums[0], np.finfo(np.float64).tiny)
    shift = sums[1] / held
    counts[:active] = sums[0]
    means[:active] += shift
    variances[:active] = np.maximum(sums[2] / held - shift**2, 0.0) + sums[3] / held
    return Moments(counts, means, variances)


def ascend(
    points: WeightedPoints, mixture: Mixture, sweeps: int, tolerance: float = 1e-8
) -> tuple[Mixture, list[float]]:
    """Sweep until a sweep raises the bound by less than ``tolerance`` of its size.

    The first sweep has nothing to be compared with: the mixture may be of other points.

    Returns:
        The mixture, and the bound after every sweep.
    """
    bounds: list[float] = []
    for _ in range(sweeps):
        mixture = sweep(points, mixture)
        bounds.append(mixture.bound)
        if len(bounds) > 1 and bounds[-1] - bounds[-2] <= tolerance * abs(bounds[-1]):
            break
    return mixture, bounds


def merge_moves(points: WeightedPoints, mixture: Mixture) -> tuple[Mixture, list[float]]:
    """Put neighbours together as long as that raises the bound.

    A pair's weights go to one of them, at most ``MERGE_SWEEPS`` sweeps follow, and the move is kept
    if ``bound_of`` is higher then. The pairs are tried from left to right, until none is kept.

    Args:
        mixture: swept before.

    Returns:
        The mixture, and its ``bound_of`` after every move that was kept.
    """
    bounds: list[float] = []
    known = bound_of(points, mixture)
    place, since_kept = 0, 0
    while mixture.active > 1 and since_kept < mixture.active - 1:
        by_mean = np.argsort(mixture.moments.means[: mixture.active], kind="stable")
        place %= mixture.active - 1
        pair = sorted((int(by_mean[place]), int(by_mean[place + 1])))
        moments = mixture.moments.merged(*pair)
        merged = from_moments(moments, mixture.gaussians, mixture.alpha)
        tried, bound = swept_towards(points, merged, MERGE_SWEEPS, known)
        if bound > known:
            mixture, known, since_kept = tried, bound, 0
            bounds.append(bound)
        else:
            place, since_kept = place + 1, since_kept + 1
    return mixture, bounds


def swept_towards(
    points: WeightedPoints, mixture: Mixture, sweeps: int, goal: float
) -> tuple[Mixture, float]:
    """Sweep until the bound is above ``goal``, or often enough; what is empty stays empty.

    Returns:
        The mixture, and its ``bound_of``: ``Mixture.bound`` is that of the sweep before, and two
        mixtures that are not equally near to their ends cannot be told apart by it.
    """
    mixture = replace(mixture, bound=-1e300)  # as if it had been swept
    for _ in range(sweeps):
        mixture = sweep(points, mixture)
        if mixture.bound > goal:
            break
    return mixture, bound_of(points, mixture)


def plus_plus_centres(
    points: WeightedPoints, count: int, rng: np.random.Generator, given: Array | None = None
) -> Array:
    """Centres drawn by k-means++: each with odds of its squared distance to those before it.

    Fewer come back where there are fewer different points.

    Args:
        given: centres that are there already, float64 ``[G]``; they come first.

    Source: Arthur and Vassilvitskii, 2007.
    """
    centres = [] if given is None else list(given[:count])
    if not centres:
        centres.append(rng.choice(points.values, p=points.counts / points.total))
    nearest = np.min([(points.values - centre) ** 2 for centre in centres], axis=0)
    while len(centres) < count:
        odds = np.cumsum(points.counts * nearest)
        if odds[-1] <= 0:
            break
        drawn = min(int(np.searchsorted(odds, rng.random() * odds[-1], "right")), len(odds) - 1)
        centres.append(points.values[drawn])
        np.minimum(nearest, (points.values - centres[-1]) ** 2, out=nearest)
    return np.array(centres, np.float64)


def moments_around(points: WeightedPoints, centres: Array, components: int) -> Moments:
    """Moments when every point belongs to its nearest centre; float64 ``[components]`` each.

    Component ``t`` is that of ``centres[t]``; of two equally near ones the lower centre counts.
    """
    order = np.argsort(centres, kind="stable")
    edges = 0.5 * (centres[order][1:] + centres[order][:-1])
    owner = order[np.searchsorted(edges, points.values)]
    counts: Array = np.bincount(owner, points.counts, components).astype(np.float64)
    held = np.maximum(counts, np.finfo(np.float64).tiny)
    means = np.bincount(owner, points.counts * points.values, components) / held
    squares = (points.values - means[owner]) ** 2 + points.variances
    variances = np.bincount(owner, points.counts * squares, components) / held
    return Moments(counts, means, variances)
