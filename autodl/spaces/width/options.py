"""``Network`` section of a network with searched channel numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autodl.config.sections import Section


class WidthNetworkOptions(Section):
    """What the channel numbers leave open."""

    ADDED = ("stem", "shortcut", "entry")

    shortcuts: Literal["pool", "pool_norm", "norm", "always"] | None = Field(
        None,
        description="of a ResNet: pool and 1x1 convolution, and pool_norm has a batch-norm where"
        " the stride is 1 (as the authors); or 1x1 convolution and batch-norm; null: pool on CIFAR,"
        " norm for resnet18",
    )
    cells_per_stage: int = Field(3, ge=1, description="of a network of cells")
    stages: int = Field(3, ge=1, description="of a network of cells")
    stem: Literal["plain", "halving", "pooled"] = Field(
        "plain", description="of a network of cells, as of CellNetwork"
    )
    shortcut: bool = Field(False, description="of a network of cells: add what enters one")
    entry: Literal["own", "shared"] = Field(
        "own", description="of a network of cells, as of CellNetwork"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="before the classifier; not in a ResNet")
