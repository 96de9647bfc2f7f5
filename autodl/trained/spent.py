"""What a training cost: seconds of the processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def core_seconds(metrics: Mapping[str, Any]) -> float | None:
    """Seconds of the processor in forward, backward and update of all epochs.

    Args:
        metrics: what a training's ``metrics.json`` says.

    Returns:
        None where they were not written down, as of imported networks.
    """
    spent = [epoch.get("compute_seconds") for epoch in metrics.get("curve", [])]
    return None if not spent or None in spent else float(sum(spent))
