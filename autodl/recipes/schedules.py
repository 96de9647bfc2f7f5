"""Learning rates as functions of the step."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from typing import TypeAlias

from autodl.recipes.parts import FallingRateOptions, RateOptions, TriangleOptions

Rate: TypeAlias = Callable[[int], float]
"""Number of the update, 0 for the first -> its learning rate."""


def cosine_rate(
    step: int, steps: int, peak: float, warmup_steps: int = 0, lowest: float = 0.0
) -> float:
    """Linear rise to ``peak`` over the warm-up, then half a cosine down to ``lowest``.

    Args:
        step: 0 for the first update.
        steps: number of updates in all; the rate would be ``lowest`` at ``step == steps``.

    Source: Loshchilov and Hutter, ICLR 2017, equation 5 without restarts.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return lowest + 0.5 * (peak - lowest) * (1.0 + cos(pi * min(done, 1.0)))


def linear_rate(
    step: int, steps: int, peak: float, warmup_steps: int = 0, lowest: float = 0.0
) -> float:
    """Linear rise to ``peak`` over the warm-up, then a straight line to ``lowest``: a triangle.

    Args:
        step: 0 for the first update.
        steps: number of updates in all; the rate would be ``lowest`` at ``step == steps``.

    Source: the one-cycle schedule of Smith and Topin, arXiv:1708.07120, without its last phase.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return lowest + (peak - lowest) * (1.0 - min(done, 1.0))


def triangle_rate(
    step: int, steps: int, peak: float, *, first: float, rise: float, last: float
) -> float:
    """A straight line from ``first * peak`` up to ``peak``, then one down to ``last * peak``.

    Args:
        step: 0 for the first update.
        steps: number of updates in all; the rate would be ``last * peak`` at ``step == steps``.
        rise: share of the updates until the peak, rounded down to whole ones.

    Source: Jordan, arXiv:2404.00498, there 0.2, 0.23 and 0.07.
    """
    top = int(steps * rise)
    if step < top:
        return peak * (first + (1.0 - first) * step / top)
    done = min((step - top) / max(steps - top, 1), 1.0)
    return peak * (1.0 + (last - 1.0) * done)


def step_rate(epoch: int, epochs: int, peak: float) -> float:
    """``peak``, a tenth of it after half, a hundredth after three quarters of the epochs."""
    return peak * 0.1 ** ((2 * epoch >= epochs) + (4 * epoch >= 3 * epochs))


def cosine(options: FallingRateOptions, epochs: int, steps: int) -> Rate:
    """``cosine_rate`` over epochs of so many steps."""
    return _falling(cosine_rate, options, epochs, steps)


def linear(options: FallingRateOptions, epochs: int, steps: int) -> Rate:
    """``linear_rate`` over epochs of so many steps."""
    return _falling(linear_rate, options, epochs, steps)


def triangle(options: TriangleOptions, epochs: int, steps: int) -> Rate:
    """``triangle_rate`` over epochs of so many steps."""
    shape = {"first": options.first, "rise": options.rise, "last": options.last}
    return lambda step: triangle_rate(step, epochs * steps, options.learning_rate, **shape)


def step(options: RateOptions, epochs: int, steps: int) -> Rate:
    """``step_rate`` over epochs of so many steps, behind a linear warm-up."""
    peak = options.learning_rate
    return _behind_warm_up(options, steps, lambda step: step_rate(step // steps, epochs, peak))


def constant(options: RateOptions, epochs: int, steps: int) -> Rate:
    """Always the same, behind a linear warm-up."""
    return _behind_warm_up(options, steps, lambda step: options.learning_rate)


def _falling(
    fall: Callable[[int, int, float, int, float], float],
    options: FallingRateOptions,
    epochs: int,
    steps: int,
) -> Rate:
    warmup, whole = round(options.warmup_epochs * steps), options.schedule_epochs or epochs
    peak, lowest = options.learning_rate, options.lowest_rate
    begun = 0 if options.fall_from_start else warmup
    return _behind_warm_up(
        options, steps, lambda step: fall(step, whole * steps, peak, begun, lowest)
    )


def _behind_warm_up(options: RateOptions, steps: int, after: Rate) -> Rate:
    """A line from ``first_rate``, which the step before the first would have, to the highest."""
    warmup, first = round(options.warmup_epochs * steps), options.first_rate
    rise = options.learning_rate - first

    def rate(step: int) -> float:
        return first + rise * (step + 1) / warmup if step < warmup else after(step)

    return rate
