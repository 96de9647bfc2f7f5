"""What became of a trial, in words for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autodl.trial import Trial, TrialState


def full_epochs(config: Mapping[str, Any]) -> int | None:
    """Epochs of a whole training, from a resolved configuration; None where it has none."""
    found = (config.get("Train") or {}).get("epochs")
    return found if isinstance(found, int) else None


def reached(fidelity: float, epochs: int | None) -> str:
    """How far a training came: ``3 of 9 epochs``, or ``33% of the training``."""
    if epochs is None:
        return f"{fidelity:.0%} of the training"
    return f"{fidelity * epochs:.0f} of {epochs} epochs"


def outcome(trial: Trial, epochs: int | None) -> str:
    """A finished trial's result, on one line.

    Args:
        epochs: of a whole training, if known.
    """
    if trial.reward is None:
        return f"failed: {one_line(trial.reason)}"
    source = f" ({one_line(trial.reason)})" if trial.reused else ""
    if trial.state is TrialState.PRUNED:
        return f"pruned at {reached(trial.fidelity, epochs)}, reward {trial.reward:.4f}{source}"
    return f"reward: {trial.reward:.4f}{source}"


def without_numbers(reason: str) -> str:
    """A reason with zeros for its numbers, which reasons that are alike differ in."""
    return re.sub(r"\d[\d.]*(e[-+]?\d+)?", "0", reason)


def one_line(text: str) -> str:
    """The text without what would move the cursor or break the line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
