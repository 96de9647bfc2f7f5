"""All genotypes of a space as one cell: every operation on every edge (Liu et al., ICLR 2019)."""

from __future__ import annotations

from dataclasses import dataclass

from autodl.spaces.genotype.architecture import SKIP

NODES = (2, 3, 4, 5)
EDGES = tuple((source, node) for node in NODES for source in range(node))
"""Where each of the 14 edges comes from and goes to: 0-2, 1-2, 0-3, 1-3, 2-3, ..."""
NONE = "none"
OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    SKIP,
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""What DARTS chooses from, in its order."""
NORMAL, REDUCE = "normal", "reduce"
"""The tables that all cells of a kind share."""


@dataclass(frozen=True, slots=True)
class GenotypeMixture:
    """A normal and a reduction cell with all of these operations, and ``none``, on every edge."""

    operations: tuple[str, ...] = OPERATIONS

    @property
    def columns(self) -> tuple[str, ...]:
        """What a table's columns are of."""
        return (NONE, *self.operations)
