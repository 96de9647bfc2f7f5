"""``Space`` and ``Network`` sections of networks of stages."""

from __future__ import annotations

from pydantic import Field

from autodl.config.sections import Section
from autodl.spaces.stage.architecture import (
    ACTIVATIONS,
    CONVOLUTIONS,
    FACTORS,
    FORMS,
    HEADS,
    KERNELS,
    MAX_STAGES,
    REDUCTIONS,
    RESIDUALS,
    STEM_WIDTHS,
    STEMS,
    WIDTHS,
)


class StageSpaceOptions(Section):
    """Which networks, and which trainings of them, can be proposed."""

    stages: int = Field(4, ge=1, le=MAX_STAGES, description="of a network, at most")
    widths: tuple[int, ...] = Field(
        WIDTHS, description="channels; with Network.macs their ratios count"
    )
    reductions: tuple[str, ...] = Field(REDUCTIONS, description="where maps are halved")
    convolutions: tuple[int, ...] = Field(
        CONVOLUTIONS, description="of a stage; one of 0 is not there"
    )
    kernels: tuple[int, ...] = Field(KERNELS, description="sides of kernels")
    forms: tuple[str, ...] = Field(FORMS, description="of convolutions")
    residuals: tuple[str, ...] = Field(RESIDUALS, description="where a shortcut is added")
    activations: tuple[str, ...] = Field(ACTIVATIONS, description="of stages")
    stems: tuple[str, ...] = Field(STEMS, description="first layers")
    stem_widths: tuple[int, ...] = Field(STEM_WIDTHS, description="channels of conv_3x3")
    heads: tuple[str, ...] = Field(HEADS, description="what the classifier reads of a map")
    rates: tuple[float, ...] = Field(FACTORS, description="factors of the learning rate of Train")
    decays: tuple[float, ...] = Field(FACTORS, description="factors of the weight decay of Train")
    first_sizes: tuple[int | None, ...] = Field(
        (None,), description="sides of pictures that grow; null: as Train says"
    )


class StageNetworkOptions(Section):
    """How a network is made of stages."""

    macs: float | None = Field(
        None,
        gt=0,
        description="all widths are multiplied to cost as much; null: they stay",
    )
    value_cost: float = Field(
        0.0, ge=0, description="added to the MACs for each value that no convolution reads"
    )
    norm_momentum: float = Field(0.9, ge=0, lt=1, description="of running statistics: what stays")
    norm_epsilon: float = Field(1e-5, gt=0, description="of batch-norms")
    output_scale: float | None = Field(
        None, gt=0, description="factor of the outputs, without a bias; null: a bias and no factor"
    )
