"""When to end a fit early: the training loss has stopped falling, or has run away."""

from __future__ import annotations

from collections.abc import Sequence


def reason_to_stop(
    losses: Sequence[float],
    *,
    patience: int | None,
    min_improvement: float,
    divergence: float | None,
) -> str:
    """Why a fit with these training losses should stop now; empty if it should go on.

    Only losses of the training split are looked at, so the held-out split stays unseen until
    the reward is measured. A pure function of the history: a resumed fit stops where an
    unbroken one does.

    Args:
        losses: mean training loss of every epoch so far, finite.
        patience: epochs without improvement that are tolerated; None never stops.
        min_improvement: a loss below ``(1 - min_improvement)`` times the lowest one counts.
        divergence: how many times the lowest loss is too much, if it is also more than the first
            epoch's loss; None never stops.
    """
    lowest, since = float("inf"), 0
    for loss in losses:
        if loss < lowest * (1.0 - min_improvement):
            lowest, since = loss, 0
        else:
            since += 1
    if not losses:
        return ""
    ran_away = divergence is not None and losses[-1] > divergence * lowest
    if ran_away and losses[-1] > losses[0]:  # near zero, threefold is little
        return f"diverged: training loss {losses[-1]:.4g} after a lowest of {lowest:.4g}"
    if patience is not None and since >= patience:
        return f"plateau: no better training loss than {lowest:.4g} for {since} epochs"
    return ""
