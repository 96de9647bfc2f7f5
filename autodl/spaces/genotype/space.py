"""The space of DARTS: two cells of four nodes, each of which reads two earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError
from autodl.spaces.genotype.architecture import OPERATIONS as KNOWN
from autodl.spaces.genotype.architecture import Edge, Genotype, GenotypeCell
from autodl.spaces.genotype.mixture import (
    EDGES,
    NODES,
    NORMAL,
    OPERATIONS,
    REDUCE,
    GenotypeMixture,
)
from autodl.spaces.membership import check_used, of_kind
from autodl.spaces.rows import check_choices, check_row, random_row
from autodl.spaces.space import Integers, Table

_PAIRS = {node: tuple(combinations(range(node), 2)) for node in NODES}


@dataclass(frozen=True, slots=True)
class GenotypeSpace:
    """Pairs of cells over the named operations; about 10^18 over DARTS' seven.

    A row has, for the normal and then for the reduction cell, three decisions of each node: which
    two earlier nodes it reads (of pairs in their order: 0 and 1, 0 and 2, 1 and 2, ...), and the
    operation on the edge from the earlier and from the later of them. Nodes 2 to 5 are the output.

    Raises:
        ConfigError: no operation, an unknown one, or one twice.
    """

    operations: tuple[str, ...] = OPERATIONS

    kind: ClassVar[str] = "genotype"

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        check_choices("Space.operations", self.operations, KNOWN)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each decision."""
        choices = len(self.operations)
        cell = tuple(size for node in NODES for size in (len(_PAIRS[node]), choices, choices))
        return cell * 2

    @property
    def labels(self) -> tuple[str, ...]:
        """Cell, node, and what is decided about it."""
        return tuple(
            f"{cell} node {node} {what}"
            for cell in (NORMAL, REDUCE)
            for node in NODES
            for what in ("reads", "earlier", "later")
        )

    def decode(self, row: Integers) -> Genotype:
        """The genotype of these decisions: int ``[24]``.

        Raises:
            EncodingError: another number of decisions, no integers, or one that is out of range.
        """
        normal, reduce = (self._cell(half) for half in np.split(check_row(row, self.sizes), 2))
        return Genotype(normal, reduce)

    def _cell(self, row: Integers) -> GenotypeCell:
        edges: list[Edge] = []
        for node, (pair, *names) in zip(NODES, row.reshape(-1, 3), strict=True):
            for name, source in zip(names, _PAIRS[node][pair], strict=True):
                edges.append((self.operations[name], source))
        return GenotypeCell(tuple(edges), NODES)

    def encode(self, architecture: Genotype) -> Integers:
        """Decisions behind a genotype or its canonical form: int64 ``[24]``.

        Raises:
            ConfigError: it is none of this space.
        """
        genotype = self.canonical(architecture)
        row: list[int] = []
        for cell in (genotype.normal, genotype.reduce):
            for node, ((first, one), (second, other)) in _by_node(cell):
                row.append(_PAIRS[node].index((one, other)))
                row += [self.operations.index(first), self.operations.index(second)]
        return np.array(row, np.int64)

    def check(self, architecture: object) -> Genotype:
        """Return the architecture if it is of this space, else raise ConfigError."""
        genotype = of_kind(architecture, Genotype, "genotypes")
        for name, cell in ((NORMAL, genotype.normal), (REDUCE, genotype.reduce)):
            if cell.nodes != len(NODES) or sorted(cell.concat) != [*NODES]:
                raise ConfigError(
                    f"cells of this space have nodes 2 to {NODES[-1]}, all of which are its"
                    f" output; the cell {name} has {cell.nodes} nodes and puts out {cell.concat}"
                )
            used = [one for one, _ in cell.edges]
            check_used(used, self.operations, f"the cell {name} uses")
            for node, (one, other) in _by_node(cell):
                if one[1] == other[1]:
                    raise ConfigError(
                        f"node {node} of the cell {name} reads node {one[1]} twice; in this space"
                        " a node reads two different ones"
                    )
        return genotype

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A genotype with every decision uniform and independent."""
        return self.decode(random_row(self.sizes, rng))

    def canonical(self, architecture: Genotype) -> Genotype:
        """The genotype with the edges of each node, and the output's nodes, in order.

        Raises:
            ConfigError: it is none of this space.
        """
        genotype = self.check(architecture)
        return Genotype(_in_order(genotype.normal), _in_order(genotype.reduce))

    @property
    def mixture(self) -> GenotypeMixture:
        """All operations on every edge."""
        return GenotypeMixture(self.operations)

    @property
    def tables(self) -> tuple[Table, Table]:
        """One of the normal and one of the reduction cells; ``none`` is their first column."""
        edges = tuple(f"{source}-{node}" for source, node in EDGES)
        return Table(NORMAL, edges, self.mixture.columns), Table(
            REDUCE, edges, self.mixture.columns
        )

    def strongest(self, weights: Mapping[str, NDArray[np.float64]]) -> Genotype:
        """Of each node the two edges with the largest weights, and the operations of these.

        The weight of ``none`` counts for nothing; of equals the first is taken.

        Source: Liu et al., DARTS, ICLR 2019, section 2.4.
        """
        normal, reduce = (self._strongest(weights[name][:, 1:]) for name in (NORMAL, REDUCE))
        return Genotype(normal, reduce)

    def _strongest(self, weights: NDArray[np.float64]) -> GenotypeCell:
        edges: list[Edge] = []
        for node in NODES:
            rows = [row for row, (_, end) in enumerate(EDGES) if end == node]
            best = sorted(rows, key=lambda row: -weights[row].max())[:2]
            edges += [
                (self.operations[int(weights[row].argmax())], EDGES[row][0]) for row in sorted(best)
            ]
        return GenotypeCell(tuple(edges), NODES)

    def operations_of(self, architecture: Genotype) -> tuple[str, ...]:
        """The operations on the edges of the normal and then of the reduction cell."""
        cells = (architecture.normal, architecture.reduce)
        return tuple(name for cell in cells for name, _ in cell.edges)


def _by_node(cell: GenotypeCell) -> zip[tuple[int, tuple[Edge, Edge]]]:
    """Each node and its two edges."""
    return zip(NODES, zip(cell.edges[::2], cell.edges[1::2], strict=True), strict=True)


def _in_order(cell: GenotypeCell) -> GenotypeCell:
    edges = [edge for _, pair in _by_node(cell) for edge in sorted(pair, key=lambda one: one[1])]
    return GenotypeCell(tuple(edges), tuple(sorted(cell.concat)))
