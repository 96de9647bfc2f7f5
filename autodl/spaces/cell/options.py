"""``Space`` and ``Network`` sections of the cell space."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from autodl.config.sections import Section
from autodl.spaces.cell.architecture import MAX_NODES
from autodl.spaces.operations import ORIGINAL_OPERATIONS


class CellSpaceOptions(Section):
    """Which cells can be proposed."""

    nodes: int = Field(10, ge=1, le=MAX_NODES, description="nodes of a cell")
    operations: tuple[str, ...] = Field(
        ORIGINAL_OPERATIONS, description="names of operations that nodes choose from"
    )
    tied: bool = Field(False, description="one cell serves as normal and as reduction cell")


class CellNetworkOptions(Section):
    """How a network is stacked from the cells."""

    ADDED = ("stem", "shortcut", "entry")

    width: int = Field(64, ge=1, description="channels of the first stage")
    stem: Literal["plain", "halving", "pooled"] = Field(
        "plain",
        description="one convolution, or two that halve the maps by a stride or by a maximum",
    )
    shortcut: bool = Field(False, description="add what enters a cell to what leaves it")
    entry: Literal["own", "shared"] = Field(
        "own", description="nodes normalise and squeeze a cell's input each, or once for all"
    )
    cells_per_stage: int = Field(3, ge=1)
    stages: int = Field(3, ge=1)
    bottleneck: int = Field(4, ge=1, description="nodes work on channels // bottleneck")
    dropout: float = Field(0.5, ge=0, lt=1, description="before the classifier")

    @model_validator(mode="after")
    def _nodes_have_channels(self) -> Self:
        if self.width < self.bottleneck:
            raise ValueError(f"width {self.width} is below bottleneck {self.bottleneck}")
        return self
