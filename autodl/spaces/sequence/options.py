"""``Space`` and ``Network`` sections of the space of networks for series."""

from __future__ import annotations

from pydantic import Field

from autodl.config.sections import Section
from autodl.spaces.sequence.architecture import GATES, HEADS, MAX_BLOCKS, OPERATIONS


class SequenceSpaceOptions(Section):
    """Which chains of blocks can be proposed."""

    blocks: int = Field(6, ge=1, le=MAX_BLOCKS, description="blocks between stem and head")
    operations: tuple[str, ...] = Field(
        OPERATIONS, description="names of operations that blocks choose from"
    )
    gates: tuple[str, ...] = Field(GATES, description="what may decide what passes a block")
    heads: tuple[str, ...] = Field(HEADS, description="how steps may become one row of features")


class SequenceNetworkOptions(Section):
    """How a network is made of the blocks."""

    width: int = Field(32, ge=1, description="channels of all blocks")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer")
