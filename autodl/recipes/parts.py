"""Options of the parts of a recipe, apart from them so that reading a config needs no framework."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from autodl.config.sections import Section


class FastStartOptions(Section):
    """What the fast recipes begin with; each can be left out."""

    uniform_start: bool = Field(True, description="first weights as PyTorch draws them")
    dirac_start: bool = Field(True, description="convolutions begin by handing on their inputs")
    whiten: bool = Field(True, description="the first convolution whitens, and stays so")
    bias_epochs: int | None = Field(3, ge=0, description="of its bias; null: all")
    fast_norms: bool = Field(True, description="batch-norms follow fast: their momentum is 0.6")
    scales: bool = Field(False, description="batch-norms learn scales")


class FastOptions(FastStartOptions):
    """The fast recipe; whatever else it says is a key of the section, and can be said there."""

    rate: float = Field(11.5, gt=0, description="the highest, for 1024 summed losses")
    decay: float = Field(0.0153, ge=0, description="share taken off the weights at that rate")
    momentum: float = Field(0.85, ge=0, lt=1, description="Nesterov's; it changes no step's size")
    shift_rate: float = Field(64.0, gt=0, description="shifts of batch-norms learn so much faster")
    lookahead: bool = Field(True, description="weights are pulled back to a slow copy")


class FastMuonOptions(FastStartOptions):
    """The fast recipe with Muon, whose rates are for summed losses but that of kernels."""

    rate: float = Field(0.24, gt=0, description="the highest, of kernels")
    momentum: float = Field(0.6, ge=0, lt=1, description="of kernels, Nesterov's")
    shift_rate: float = Field(0.053, gt=0, description="of shifts and biases; of scales a 64th")
    linear_rate: float = Field(0.67, gt=0, description="of the head, as large as its author's is")
    decay: float = Field(2e-6, ge=0, description="share taken off all but kernels, per example")


class RateOptions(Section):
    """Of every schedule."""

    ADDED: ClassVar[tuple[str, ...]] = ("first_rate",)

    learning_rate: float = Field(0.1, gt=0, description="the highest of the schedule")
    warmup_epochs: float = Field(0.0, ge=0, description="linear rise to it at the beginning")
    first_rate: float = Field(0.0, ge=0, description="what the rise begins at")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.first_rate > self.learning_rate:
            raise ValueError(
                f"first_rate {self.first_rate:g} exceeds learning_rate {self.learning_rate:g}"
            )
        return self


class FallingRateOptions(RateOptions):
    """Of a schedule that falls all the way."""

    ADDED = (*RateOptions.ADDED, "lowest_rate", "schedule_epochs", "fall_from_start")

    lowest_rate: float = Field(0.0, ge=0, description="what the rate falls to")
    schedule_epochs: int | None = Field(
        None, ge=1, description="epochs until then; null: those of the training, which may be fewer"
    )
    fall_from_start: bool = Field(
        False, description="the fall is counted from the first update, not from the end of the rise"
    )


class TriangleOptions(Section):
    """Of a schedule that rises in a line, and falls in a line."""

    learning_rate: float = Field(0.1, gt=0, description="the highest of the schedule")
    first: float = Field(0.2, gt=0, le=1, description="share of it that the first update has")
    rise: float = Field(0.23, ge=0, le=1, description="share of the updates until the highest")
    last: float = Field(0.07, ge=0, le=1, description="share of the highest at the end")


class SGDOptions(Section):
    """SGD with momentum."""

    ADDED = ("shift_rate", "decay_biases")

    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(1e-4, ge=0, description="L2, on weights and batch-norm scales")
    gradient_clip: float | None = Field(None, gt=0, description="largest global gradient norm")
    shift_rate: float = Field(
        1.0, gt=0, description="shifts of batch-norms learn so much faster, and decay as before"
    )
    decay_biases: bool = Field(False, description="biases of other layers decay like weights")


class AdamWOptions(Section):
    """Adam with decoupled weight decay."""

    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)
    weight_decay: float = Field(1e-2, ge=0, description="on weights and batch-norm scales")
    gradient_clip: float | None = Field(None, gt=0, description="largest global gradient norm")


class MuonOptions(Section):
    """Orthogonal updates of kernels, whose rate is the schedule's; SGD of all else."""

    momentum: float = Field(0.6, ge=0, lt=1, description="of the kernels, Nesterov's")
    iterations: int = Field(3, ge=1, description="Newton-Schulz steps to an orthogonal update")
    shift_rate: float = Field(
        1.0, gt=0, description="of biases and shifts, in rates of kernels; of scales a 64th of it"
    )
    linear_rate: float = Field(1.0, gt=0, description="of other matrices, in rates of kernels")
    sgd_momentum: float = Field(0.85, ge=0, lt=1, description="of all but kernels, Nesterov's")
    weight_decay: float = Field(
        0.0, ge=0, description="L2 of all but kernels and biases, over their rate in kernels' rates"
    )
    decay_biases: bool = Field(False, description="biases decay, too")
    gradient_clip: float | None = Field(None, gt=0, description="largest global gradient norm")


class WeightOptions(Section):
    """Of a term that has a weight and nothing else."""

    weight: float = Field(gt=0, description="of the term in the loss")


class DistillationOptions(Section):
    """Of what a teacher says."""

    teacher: str = Field(
        min_length=1, description="a released network, ensemble, or the folder of a training"
    )
    weight: float = Field(
        0.9, ge=0, le=1, description="of the teacher's part in the loss; the rest is the labels'"
    )
    temperature: float = Field(4.0, gt=0, description="that softens what both say")


class ScaleOptions(Section):
    """Of asymmetric convolutions."""

    scale: float = Field(1.0, gt=0, description="first scale of all batch-norms")


class BranchesOptions(Section):
    """Of blocks that differ from part to part of a network."""

    ADDED = ("scale",)

    of: dict[str, Literal["acb", "dbb", "repvgg"]] = Field(
        {}, description="path of a part, such as stage1, and the blocks of its convolutions"
    )
    scale: float = Field(1.0, gt=0, description="first scale of all batch-norms of acb")


class WhiteningOptions(Section):
    """Of the whitened first convolution."""

    ADDED = ("bias_epochs",)

    bias_epochs: int | None = Field(
        None, ge=0, description="epochs that its bias is trained for; null: all"
    )


class BatchNormsOptions(Section):
    """Of all batch-norms of a network."""

    momentum: float | None = Field(
        None, ge=0, lt=1, description="what stays of running statistics; null: the network's own"
    )
    scale: bool = Field(True, description="learn the scales; else they stay 1")


class LookaheadOptions(Section):
    """Of weights that are pulled back to a slow copy."""

    every: int = Field(5, ge=1, description="updates between two pulls")
    decay: float = Field(
        0.95**5, ge=0, le=1, description="what stays of the slow copy at a pull, at the end"
    )
    power: float = Field(3.0, ge=0, description="the decay rises as the power of the time")


class ReleasedStartOptions(Section):
    """Of weights that a training starts from."""

    network: str = Field(description="name of the released network")


class AverageOptions(Section):
    """Of the average of the weights."""

    decay: float = Field(ge=0, lt=1, description="what stays of the average at each update")


class DropOptions(Section):
    """Of dropped edges."""

    ADDED = ("of",)

    rate: float = Field(gt=0, lt=1, description="the highest; it rises from 0 by epochs")
    of: Literal["pictures", "values"] = Field(
        "pictures", description="whether an edge drops all of a picture, or single values of it"
    )
