"""What became of a trial, in words for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autodl.config.components import table
from autodl.tasks.catalogue import ERRORS
from autodl.tasks.task import REWARD, Metric
from autodl.trial import Trial, TrialState


def full_epochs(config: Mapping[str, Any]) -> int | None:
    """Epochs of a whole training, from a resolved configuration; None where it has none."""
    found = (config.get("Train") or {}).get("epochs")
    return found if isinstance(found, int) else None


def error_of(config: Mapping[str, Any]) -> Metric | None:
    """The error that the networks of a run are trained to make small, from its configuration.

    The ``accuracy`` in its records is the negative of it. None where nothing is trained, or where
    a higher metric is better.
    """
    evaluator = table("Evaluator").get((config.get("Evaluator") or {}).get("name", ""))
    if evaluator is None or not evaluator.trains:
        return None
    return ERRORS.get((config.get("Data") or {}).get("name", ""))


def shown_as(config: Mapping[str, Any]) -> Metric:
    """What people are shown of the rewards of a run, from its resolved configuration.

    Where networks are trained and their error alone makes the reward, its negative, it is the
    error, lower is better; else the reward as it is.
    """
    scaled = (config.get("Objectives") or {}).get("reward")
    return REWARD if scaled else error_of(config) or REWARD


def diagnostics_shown(diagnostics: Mapping[str, float], error: Metric | None) -> dict[str, float]:
    """The numbers of an update as people are shown them.

    Args:
        diagnostics: by name, as a strategy tells them.
        error: see ``error_of``; it takes the place of the accuracy.
    """
    if error is None:
        return dict(diagnostics)
    return {
        name.replace("accuracy", error.label): error.value(value)
        if name == "mean_accuracy"  # a spread has no sign
        else value
        for name, value in diagnostics.items()
    }


def reached(fidelity: float, epochs: int | None) -> str:
    """How far a training came: ``3 of 9 epochs``, or ``33% of the training``."""
    if epochs is None:
        return f"{fidelity:.0%} of the training"
    return f"{fidelity * epochs:.0f} of {epochs} epochs"


def outcome(trial: Trial, epochs: int | None, metric: Metric = REWARD) -> str:
    """A finished trial's result, on one line.

    Args:
        epochs: of a whole training, if known.
        metric: see ``shown_as``.
    """
    if trial.reward is None:
        return f"failed: {one_line(trial.reason)}"
    source = f" ({one_line(trial.reason)})" if trial.reused else ""
    if trial.state is TrialState.PRUNED:
        part, value = reached(trial.fidelity, epochs), metric.digits(trial.reward)
        return f"pruned at {part}, {metric.label} {value}{source}"
    return f"{metric.label}: {metric.digits(trial.reward)}{source}"


def without_numbers(reason: str) -> str:
    """A reason with zeros for its numbers, which reasons that are alike differ in."""
    return re.sub(r"\d[\d.]*(e[-+]?\d+)?", "0", reason)


def one_line(text: str) -> str:
    """The text without what would move the cursor or break the line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
