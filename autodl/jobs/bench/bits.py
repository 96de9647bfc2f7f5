"""How fast the mixture is on a layer as large as they come."""

from __future__ import annotations

import time
import tracemalloc
from statistics import median

import numpy as np

from autodl.compression.bits.mixture.coordinate_ascent import (
    Mixture,
    bound_of,
    from_moments,
    moments_around,
    sweep,
)
from autodl.compression.bits.mixture.gaussians import NormalGamma, NormalGammaPrior
from autodl.compression.bits.mixture.points import WeightedPoints, weighted_points


def mixture_speed(
    weights: int = 2_400_000, truncation: int = 256, sweeps: int = 5
) -> dict[str, float]:
    """Sweeps over a layer with all components in use, on one core; median seconds.

    The weights are put together to at most 65,536 ``points``, once for a fit, in
    ``start_seconds``; ``extra_memory_mb`` is the most that this and a sweep allocate beside the
    weights. ``unbinned_seconds`` is a sweep without that, and ``bound_change`` the share of the
    bound that is lost by it.
    """
    drawn = np.random.default_rng(0).normal(size=weights).astype(np.float32)
    prior = NormalGammaPrior(0.0, 1e-2, 200.0 * weights, 200.0 * weights * 0.005**2)

    def work() -> tuple[float, list[float], WeightedPoints, Mixture]:
        began = time.perf_counter()
        points = weighted_points(drawn)
        start = time.perf_counter() - began
        nothing = np.zeros(truncation)
        places = np.linspace(0, len(points.values) - 1, truncation).astype(np.int64)
        centres = points.values[places]
        parts = NormalGamma(prior, nothing, nothing, nothing, nothing)
        mixture = from_moments(moments_around(points, centres, truncation), parts, 1.0)
        spans = []
        for _ in range(sweeps):
            began = time.perf_counter()
            mixture = sweep(points, mixture)
            spans.append(time.perf_counter() - began)
        return start, spans, points, mixture

    start, spans, points, mixture = work()
    every = weighted_points(drawn, weights)
    began = time.perf_counter()
    bound = bound_of(every, mixture)
    unbinned = time.perf_counter() - began
    change = (bound - bound_of(points, mixture)) / abs(bound)
    del every
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "sweep_seconds": round(median(spans), 3),
        "start_seconds": round(start, 3),
        "extra_memory_mb": round(peak / 1e6, 1),
        "points": len(points.values),
        "unbinned_seconds": round(unbinned, 3),
        "bound_change": change,
        "weights": weights,
        "truncation": truncation,
    }
