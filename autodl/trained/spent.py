"""What a training cost: seconds of the processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def core_seconds(metrics: Mapping[str, Any]) -> float | None:
    """Seconds of the processor in forward, backward and update of all epochs, and of a teacher.

    Args:
        metrics: what a training's ``metrics.json`` says, or that of a compression or a release,
            which have the sum alone.

    Returns:
        None where they were not written down, as of imported networks.
    """
    if "core_seconds" in metrics:
        known: float | None = metrics["core_seconds"]
        return known
    curve = metrics.get("curve", [])
    spent = [epoch.get("compute_seconds") for epoch in curve]
    return None if not spent or None in spent else float(sum(spent)) + teacher_seconds(curve)


def teacher_seconds(curve: Sequence[Mapping[str, float]]) -> float:
    """Those in which a teacher was asked about the examples; 0 of a training without one."""
    return float(sum(epoch.get("teacher_seconds", 0.0) for epoch in curve))
