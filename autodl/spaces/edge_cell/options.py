"""``Space`` and ``Network`` sections of cells with operations on edges."""

from __future__ import annotations

from pydantic import Field

from autodl.config.sections import Section
from autodl.spaces.edge_cell.architecture import OPERATIONS


class EdgeCellSpaceOptions(Section):
    """Which cells can be proposed."""

    operations: tuple[str, ...] = Field(
        OPERATIONS, description="names of operations that edges choose from"
    )


class EdgeCellNetworkOptions(Section):
    """How a network is made of a cell."""

    width: int = Field(16, ge=1, description="channels of the first stage; they double twice")
    cells: int = Field(5, ge=1, description="in each of the three stages")
