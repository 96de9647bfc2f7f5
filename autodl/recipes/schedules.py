"""Learning rates as functions of the step."""

from __future__ import annotations

from math import cos, pi


def cosine_rate(step: int, steps: int, peak: float, warmup_steps: int = 0) -> float:
    """Linear rise to ``peak`` over the warm-up, then half a cosine down to 0.

    Args:
        step: 0 for the first update.
        steps: number of updates in all; the rate would reach 0 at ``step == steps``.

    Source: Loshchilov and Hutter, ICLR 2017, equation 5 without restarts.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return 0.5 * peak * (1.0 + cos(pi * min(done, 1.0)))


def linear_rate(step: int, steps: int, peak: float, warmup_steps: int = 0) -> float:
    """Linear rise to ``peak`` over the warm-up, then a straight line down to 0: a triangle.

    Args:
        step: 0 for the first update.
        steps: number of updates in all; the rate would reach 0 at ``step == steps``.

    Source: the one-cycle schedule of Smith and Topin, arXiv:1708.07120, without its last phase.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return peak * (1.0 - min(done, 1.0))
