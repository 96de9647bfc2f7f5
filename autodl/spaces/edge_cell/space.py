"""The space of cells with an operation on every edge: rows of six decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError
from autodl.spaces.edge_cell.architecture import EDGES, OPERATIONS, TABLE, EdgeCell, EdgeMixture
from autodl.spaces.edge_cell.canonical import first_of_twins
from autodl.spaces.edge_cell.paths import path_counts, ways_through
from autodl.spaces.membership import check_used, of_kind
from autodl.spaces.rows import check_choices, check_row, random_row
from autodl.spaces.space import Integers, Table


@dataclass(frozen=True, slots=True)
class EdgeCellSpace:
    """All cells of four nodes over the named operations; 15,625 over all five.

    A row has the operation of each edge, in the order of ``EDGES``; a code is a position among the
    operations of this space.

    Raises:
        ConfigError: no operation, an unknown one, or one twice.
    """

    operations: tuple[str, ...] = OPERATIONS

    kind: ClassVar[str] = "edge_cell"

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        check_choices("Space.operations", self.operations, OPERATIONS)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each edge."""
        return (len(self.operations),) * len(EDGES)

    @property
    def labels(self) -> tuple[str, ...]:
        """The edge of each decision."""
        return tuple(f"edge {source}-{node}" for source, node in EDGES)

    def decode(self, row: Integers) -> EdgeCell:
        """The cell with these codes: int ``[6]``.

        Raises:
            EncodingError: another number of codes, no integers, or one that is out of range.
        """
        return EdgeCell(tuple(self.operations[code] for code in check_row(row, self.sizes)))

    def encode(self, architecture: EdgeCell) -> Integers:
        """Codes of a cell: the inverse of ``decode``, int64 ``[6]``.

        Raises:
            ConfigError: it is none of this space.
        """
        operations = self.check(architecture).operations
        return np.array([self.operations.index(name) for name in operations], np.int64)

    def check(self, architecture: object) -> EdgeCell:
        """Return the architecture if it is of this space, else raise ConfigError."""
        cell = of_kind(architecture, EdgeCell, "cells with operations on edges")
        check_used(cell.operations, self.operations, "the cell uses")
        return cell

    def sample(self, rng: np.random.Generator) -> EdgeCell:
        """A cell with every operation uniform and independent."""
        return self.decode(random_row(self.sizes, rng))

    def canonical(self, architecture: EdgeCell) -> EdgeCell:
        """The first cell of this space that is the same network, see ``canonical.py``.

        Raises:
            ConfigError: it is none of this space.
        """
        cell = self.check(architecture)
        twins = first_of_twins(tuple(sorted(self.operations)))
        return EdgeCell(twins[cell.operations])

    def path_counts(self, rows: Integers) -> Integers:
        """Ways from input to output, see ``paths.py``: int64 ``[N, (K + 1) ** 3]``."""
        return path_counts(rows, self.operations)

    def ways_through(self, rows: Integers) -> Integers:
        """Ways from input to output over each edge, see ``paths.py``: int64 ``[N, 6]``."""
        return ways_through(rows, self.operations)

    @property
    def mixture(self) -> EdgeMixture:
        """All operations on every edge.

        Raises:
            ConfigError: there is but one, or one beside ``none``, of which nothing can be mixed.
        """
        if len({*self.operations} - {"none"}) < 2:
            raise ConfigError(
                "a mixture is of two operations or more beside none; Space.operations has"
                f" {', '.join(self.operations)}"
            )
        return EdgeMixture(self.operations)

    @property
    def tables(self) -> tuple[Table]:
        """One, which all cells share."""
        edges = tuple(f"{source}-{node}" for source, node in EDGES)
        return (Table(TABLE, edges, self.operations),)

    def strongest(self, weights: Mapping[str, NDArray[np.float64]]) -> EdgeCell:
        """The cell of the largest weight of each edge, that of ``none`` too; of equals the first.

        Source: the benchmark's own DARTS (Dong and Yang, ICLR 2020).
        """
        return self.decode(weights[TABLE].argmax(axis=1))

    def operations_of(self, architecture: EdgeCell) -> tuple[str, ...]:
        """The operation on each edge."""
        return architecture.operations
