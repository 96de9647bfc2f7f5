"""Options of the parts of a recipe, apart from them so that reading a config needs no framework."""

from __future__ import annotations

from pydantic import Field

from autodl.config.sections import Section


class RateOptions(Section):
    """Of every schedule."""

    learning_rate: float = Field(0.1, gt=0, description="the highest of the schedule")
    warmup_epochs: float = Field(0.0, ge=0, description="linear rise from 0 before it falls")


class FallingRateOptions(RateOptions):
    """Of a schedule that falls all the way."""

    ADDED = ("lowest_rate", "schedule_epochs")

    lowest_rate: float = Field(0.0, ge=0, description="what the rate falls to")
    schedule_epochs: int | None = Field(
        None, ge=1, description="epochs until then; null: those of the training, which may be fewer"
    )


class SGDOptions(Section):
    """SGD with momentum."""

    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(1e-4, ge=0, description="L2, on weights and batch-norm scales")
    gradient_clip: float | None = Field(None, gt=0, description="largest global gradient norm")


class AdamWOptions(Section):
    """Adam with decoupled weight decay."""

    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)
    weight_decay: float = Field(1e-2, ge=0, description="on weights and batch-norm scales")
    gradient_clip: float | None = Field(None, gt=0, description="largest global gradient norm")


class WeightOptions(Section):
    """Of a term that has a weight and nothing else."""

    weight: float = Field(gt=0, description="of the term in the loss")


class ScaleOptions(Section):
    """Of asymmetric convolutions."""

    scale: float = Field(1.0, gt=0, description="first scale of all batch-norms")


class AverageOptions(Section):
    """Of the average of the weights."""

    decay: float = Field(ge=0, lt=1, description="what stays of the average at each update")


class DropOptions(Section):
    """Of dropped edges."""

    rate: float = Field(gt=0, lt=1, description="the highest; it rises from 0 by epochs")
