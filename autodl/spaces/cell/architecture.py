"""Cells: the op-id sequence and adjacency encoding of the original AutoDL Design.

A cell is a small directed acyclic graph. Node ``j`` applies one operation to the sum of
the earlier nodes it reads. This file is pure Python: it neither imports Paddle nor knows
how an architecture is scored. Layers are built from it in ``autodl/spaces/cell/plan.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodl.errors import EncodingError
from autodl.spaces.foreign_json import check_keys, check_version, short
from autodl.spaces.operations import operation

MAX_NODES = 64
JSON_VERSION = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One operation per node, and which earlier nodes each node reads.

    ``op_ids`` are ids of ``autodl.spaces.operations``. ``edges`` is the strict upper triangle
    of the adjacency matrix, column by column: node ``j`` reads node ``i < j`` when
    ``edges[j * (j - 1) // 2 + i]`` is 1. A node that reads none reads the cell's input.

    Raises:
        EncodingError: not 1 to 64 nodes, an unknown id, a wrong number of bits, or a bit that
            is neither 0 nor 1.
    """

    op_ids: tuple[int, ...]
    edges: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "op_ids", _integers(self.op_ids, "operation ids"))
        object.__setattr__(self, "edges", _integers(self.edges, "edge bits"))
        nodes = len(self.op_ids)
        if not 1 <= nodes <= MAX_NODES:
            raise EncodingError(f"a cell has 1 to {MAX_NODES} nodes, got {nodes}")
        for op_id in self.op_ids:
            operation(op_id)
        pairs = nodes * (nodes - 1) // 2
        if len(self.edges) != pairs:
            raise EncodingError(
                f"a cell of {nodes} nodes has {pairs} edge bits, got {len(self.edges)}"
            )
        if bad := [bit for bit in self.edges if bit not in (0, 1)]:
            raise EncodingError(f"edge bits must be 0 or 1, got {bad[0]!r}")

    @classmethod
    def from_names(cls, names: Sequence[str], edges: Sequence[int]) -> Cell:
        """A cell from operation names instead of ids."""
        return cls(tuple(operation(name).id for name in names), tuple(edges))

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.op_ids)

    @property
    def operations(self) -> tuple[str, ...]:
        """Name of each node's operation."""
        return tuple(operation(op_id).name for op_id in self.op_ids)

    def parents(self, node: int) -> tuple[int, ...]:
        """Nodes that ``node`` reads, in order; empty when it reads the cell's input."""
        first = node * (node - 1) // 2
        return tuple(i for i in range(node) if self.edges[first + i])

    def loose_ends(self) -> tuple[int, ...]:
        """Nodes that nobody reads, in order: together they are the cell's output."""
        read = {parent for node in range(self.nodes) for parent in self.parents(node)}
        return tuple(node for node in range(self.nodes) if node not in read)


@dataclass(frozen=True, slots=True)
class CellPair:
    """An architecture: the normal cell and the reduction cell, with equally many nodes."""

    normal: Cell
    reduction: Cell

    def __post_init__(self) -> None:
        if self.normal.nodes != self.reduction.nodes:
            raise EncodingError(
                "both cells of a pair have the same number of nodes, got "
                f"{self.normal.nodes} and {self.reduction.nodes}"
            )

    @classmethod
    def from_tokens(cls, tokens: Iterable[int], adjvec: Iterable[int]) -> CellPair:
        """Decode the original's encoding.

        Args:
            tokens: ``2N`` operation ids, the normal cell's first.
            adjvec: ``N(N - 1)`` bits, the normal cell's first; see ``Cell.edges``.

        Raises:
            EncodingError: an odd number of tokens, or anything ``Cell`` refuses.
        """
        ids, bits = _integers(tokens, "tokens"), _integers(adjvec, "adjvec bits")
        if len(ids) % 2 or not ids:
            raise EncodingError(
                f"tokens hold the two cells' operation ids, an even number; got {len(ids)}"
            )
        nodes = len(ids) // 2
        if len(bits) != nodes * (nodes - 1):
            raise EncodingError(
                f"two cells of {nodes} nodes have {nodes * (nodes - 1)} edge bits, got {len(bits)}"
            )
        half = len(bits) // 2
        return cls(Cell(ids[:nodes], bits[:half]), Cell(ids[nodes:], bits[half:]))

    def to_tokens(self) -> tuple[list[int], list[int]]:
        """The original's encoding: ``(tokens, adjvec)``; the inverse of ``from_tokens``."""
        return (
            [*self.normal.op_ids, *self.reduction.op_ids],
            [*self.normal.edges, *self.reduction.edges],
        )

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; operations are stored by name."""
        return {
            "kind": "cell_pair",
            "version": JSON_VERSION,
            "normal": _cell_to_json(self.normal),
            "reduction": _cell_to_json(self.reduction),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CellPair:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything ``Cell``
                refuses.
        """
        check_version(value, "cell_pair", JSON_VERSION)
        check_keys(value, {"kind", "version", "normal", "reduction"}, "a cell_pair")
        return cls(
            _cell_from_json(value["normal"], "normal"),
            _cell_from_json(value["reduction"], "reduction"),
        )


def _cell_to_json(cell: Cell) -> dict[str, Any]:
    return {"operations": list(cell.operations), "edges": list(cell.edges)}


def _cell_from_json(value: object, role: str) -> Cell:
    if not isinstance(value, Mapping):
        raise EncodingError(f"the {role} cell must be an object, got {short(value)}")
    check_keys(value, {"operations", "edges"}, f"the {role} cell")
    names, edges = value["operations"], value["edges"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise EncodingError(
            f"the {role} cell's operations must be a list of names, got {short(names)}"
        )
    if not isinstance(edges, list):
        raise EncodingError(f"the {role} cell's edges must be a list of bits, got {short(edges)}")
    try:
        return Cell.from_names(names, edges)
    except EncodingError as error:
        raise EncodingError(f"the {role} cell: {error}") from None


def _integers(values: Iterable[Any], what: str) -> tuple[int, ...]:
    """Plain ints, so that NumPy integers and lists are accepted but 1.5, '1' and True are not."""
    values = tuple(values)
    if set(map(type, values)) == {int}:  # as nearly always: fast
        return values
    if bad := [v for v in values if isinstance(v, bool) or not isinstance(v, int | np.integer)]:
        raise EncodingError(f"{what} must be integers, got {short(bad[0])}")
    return tuple(int(value) for value in values)
