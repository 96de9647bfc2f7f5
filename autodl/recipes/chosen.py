"""The ``Train`` section of one architecture: the section of all, with what it decides itself."""

from __future__ import annotations

from typing import Any

from autodl.recipes.options import PlainPart, TrainOptions
from autodl.spaces.training_choices import ChoosesTraining, TrainingChoices
from autodl.trial import Architecture

_RATES = ("learning_rate", "lowest_rate", "first_rate")
_DECAY = "weight_decay"


def training_of(options: TrainOptions, architecture: Architecture) -> TrainOptions:
    """How an architecture is trained.

    Every training of an architecture goes by this: a trial of a search, the training in full, and
    whoever builds the trained network again. Those that decide nothing are trained as the section
    says; so the identity of a training is that of its section and its architecture.
    """
    if not isinstance(architecture, ChoosesTraining):
        return options
    choices = architecture.training_choices()
    changes = {**_rate(options, choices), **_decay(options, choices)}
    if choices.first_size is not None:
        changes["first_size"] = choices.first_size
    if not choices.whiten:
        changes["whiten"] = False
        changes["hooks"] = tuple(hook for hook in options.hooks if hook["name"] != "Whitening")
    if choices.branches:
        changes["branches"], changes["branch_scale"] = "none", 1.0
        changes["form"] = {"name": "branches", "of": dict(choices.branches)}
    return options.model_copy(update=changes)


def _rate(options: TrainOptions, choices: TrainingChoices) -> dict[str, Any]:
    factor = choices.rate
    if factor == 1.0:
        return {}
    if options.rate is not None:
        return {"rate": _times(options.rate, factor, *_RATES)}
    return {name: getattr(options, name) * factor for name in ("learning_rate", "lowest_rate")}


def _decay(options: TrainOptions, choices: TrainingChoices) -> dict[str, Any]:
    """An update takes off the rate times the decay, which therefore falls as the rate rises."""
    factor = choices.decay / choices.rate
    if factor == 1.0:
        return {}
    if options.optimiser is not None:
        return {"optimiser": _times(options.optimiser, factor, _DECAY)}
    return {_DECAY: options.weight_decay * factor}


def _times(part: PlainPart, factor: float, *names: str) -> PlainPart:
    """A part of a recipe with some of its options, those that it has, multiplied."""
    return {**part, **{name: part[name] * factor for name in names if name in part}}
