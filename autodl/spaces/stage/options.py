"""``Space`` and ``Network`` sections of networks of stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from autodl.config.paths import absolute
from autodl.config.sections import Section
from autodl.errors import DataError
from autodl.plans.step_table import StepTable
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
        WIDTHS, description="channels; with a budget of Network their ratios count"
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
    first_sizes: tuple[Annotated[int, Field(ge=8, multiple_of=4)] | None, ...] = Field(
        (None,), description="sides of pictures that grow; null: as Train says"
    )


def _read_table(value: object) -> object:
    """The table in a file that is named; a run's config has the table itself."""
    if not isinstance(value, str):
        return value
    try:
        return StepTable.read(absolute(Path(value)))
    except DataError as error:
        raise PydanticCustomError("step_table", "{reason}", {"reason": str(error)}) from None


class StageNetworkOptions(Section):
    """How a network is made of stages."""

    ADDED = ("picture_ms", "step_table")

    macs: float | None = Field(
        None,
        gt=0,
        description="all widths are multiplied to cost as much; null: they stay",
    )
    value_cost: float = Field(
        0.0, ge=0, description="added to the MACs for each value that no convolution reads"
    )
    picture_ms: float | None = Field(
        None,
        gt=0,
        description="in place of macs: all widths are multiplied so that a picture takes as long,"
        " forth and back, by step_table",
    )
    step_table: Annotated[StepTable | None, BeforeValidator(_read_table)] = Field(
        None, description="file made by autodl latency measure --grid, for picture_ms"
    )
    norm_momentum: float = Field(0.9, ge=0, lt=1, description="of running statistics: what stays")
    norm_epsilon: float = Field(1e-5, gt=0, description="of batch-norms")
    output_scale: float | None = Field(
        None, gt=0, description="factor of the outputs, without a bias; null: a bias and no factor"
    )

    @model_validator(mode="after")
    def _one_budget(self) -> StageNetworkOptions:
        if (self.picture_ms is None) != (self.step_table is None):
            missing = "picture_ms" if self.picture_ms is None else "step_table"
            raise PydanticCustomError(
                "budget", f"picture_ms and step_table come together; {missing} is missing"
            )
        if self.picture_ms is not None and self.macs is not None:
            raise PydanticCustomError(
                "budget",
                f"macs={self.macs:g} and picture_ms={self.picture_ms:g} are two budgets; set the"
                " other one to null",
            )
        return self

    def identity(self) -> dict[str, Any]:
        """A table is known by its content."""
        found = super().identity()
        if self.step_table is not None:
            found["step_table"] = self.step_table.digest
        return found


def within_budget(space: Any, network: object) -> Any:
    """The space of a search as its network has it: with a budget only ratios of widths count.

    Args:
        space: any; others than of stages stay as they are.
        network: options of the section ``Network``.
    """
    from autodl.spaces.stage.space import StageSpace

    if not isinstance(space, StageSpace) or not isinstance(network, StageNetworkOptions):
        return space
    return replace(space, by_ratio=network.macs is not None or network.picture_ms is not None)
