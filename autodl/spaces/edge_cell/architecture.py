"""Cells with an operation on every edge, as in NAS-Bench-201 (Dong and Yang, ICLR 2020).

A cell has four nodes. Node 0 is its input, node 3 its output, and every later node is the sum of
what the operations on its edges make of the nodes before it. Layers are spelled out in
``autodl/spaces/edge_cell/plan.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autodl.errors import EncodingError
from autodl.spaces.foreign_json import check_names, read_names

JSON_VERSION = 1
NODES = 4
# A value's position is its code, as in the published tables; files hold names.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple((source, node) for node in range(NODES) for source in range(node))
"""Where each edge comes from and goes to: 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
TABLE = "edges"
"""The name of the one table that all cells of a mixture share."""


@dataclass(frozen=True, slots=True)
class EdgeCell:
    """The operations on the edges of a cell, in the order of ``EDGES``.

    Raises:
        EncodingError: not six operations, or an unknown one.
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        if len(self.operations) != len(EDGES):
            raise EncodingError(
                f"a cell of {NODES} nodes has {len(EDGES)} edges, got {len(self.operations)}"
                " operations"
            )
        check_names(self.operations, OPERATIONS, "an edge's operation")

    def edges_into(self, node: int) -> tuple[tuple[int, str], ...]:
        """Of each edge that leads to a node: where it comes from, and its operation."""
        edges = zip(EDGES, self.operations, strict=True)
        return tuple((source, operation) for (source, end), operation in edges if end == node)

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; operations are stored by name."""
        operations = list(self.operations)
        return {"kind": "edge_cell", "version": JSON_VERSION, "operations": operations}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EdgeCell:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything that the values
                refuse.
        """
        what = "a cell with operations on edges"
        return cls(read_names(value, "edge_cell", JSON_VERSION, "operations", what))


@dataclass(frozen=True, slots=True)
class EdgeMixture:
    """A cell with all of these operations on every edge, in the order of a table's columns."""

    operations: tuple[str, ...]
