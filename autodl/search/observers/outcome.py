"""What became of a trial, in words for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autodl.config.components import table
from autodl.tasks.load import declared_metric
from autodl.tasks.task import ACCURACY, REWARD, Metric
from autodl.trial import ACCURACY as QUALITY
from autodl.trial import Trial, TrialState

SHARE = Metric(QUALITY, QUALITY)
UNSCALED = Metric("unscaled_reward", "unscaled reward")


def full_epochs(config: Mapping[str, Any]) -> int | None:
    """Epochs of a whole training, from a resolved configuration; None where it has none."""
    found = (config.get("Train") or {}).get("epochs")
    return found if isinstance(found, int) else None


def quality_of(config: Mapping[str, Any]) -> Metric:
    """What people are shown of the quality that costs are traded off with in a run.

    It is what the evaluator gave before costs scaled it: the metric of the task, whose negative is
    told where lower is better; of evaluators that train nothing, what they call it.

    Args:
        config: of the run, resolved.
    """
    section = config.get("Evaluator") or {}
    entry = table("Evaluator").get(section.get("name", ""))
    if entry is not None and (name := entry.quality):
        return Metric(name, name)
    if entry is not None and not entry.trains:
        return UNSCALED if _scaled(config) else REWARD
    metric = declared_metric((config.get("Data") or {}).get("name", ""))
    return SHARE if metric == ACCURACY else metric


def recorded_as(config: Mapping[str, Any]) -> Metric:
    """What people are shown of the ``accuracy`` in the records of a run.

    That is the quality; but an evaluator of another kind, without objectives, means what it says.
    """
    quality, own = quality_of(config), not config.get("Objectives")
    return SHARE if own and quality == REWARD else quality


def shown_as(config: Mapping[str, Any]) -> Metric:
    """What people are shown of the rewards of a run, from its resolved configuration.

    Where networks are trained and their error alone makes the reward, its negative, it is the
    error, lower is better; else the reward as it is.
    """
    quality = quality_of(config)
    return REWARD if quality.higher_is_better or _scaled(config) else quality


def _scaled(config: Mapping[str, Any]) -> bool:
    return bool((config.get("Objectives") or {}).get("reward"))


def diagnostics_shown(diagnostics: Mapping[str, float], quality: Metric) -> dict[str, float]:
    """The numbers of an update as people are shown them.

    Args:
        diagnostics: by name, as a strategy tells them.
        quality: see ``quality_of``; it takes the place of the accuracy.
    """
    label = quality.label.replace(" ", "_")
    return {
        name.replace(QUALITY, label): quality.value(value)
        if name == f"mean_{QUALITY}"  # a spread has no sign
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
