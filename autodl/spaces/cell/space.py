"""The space of cell pairs: which operations and how many nodes, how to sample and vary them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import ClassVar

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.cell.architecture import MAX_NODES, Cell, CellPair
from autodl.spaces.cell.canonical import canonical_cell, canonical_pair, renamed_cell
from autodl.spaces.membership import of_kind
from autodl.spaces.operations import ORIGINAL_OPERATIONS, operation
from autodl.spaces.rows import MOST_LISTED, check_row
from autodl.spaces.space import Integers, Steps


@dataclass(frozen=True)
class CellSpace:
    """All cell pairs of ``nodes`` nodes over the named operations.

    ``tied`` makes one cell serve in both roles. A *token* is a position in ``operations``
    (not an operation id), so strategies deal with 0 .. K-1 whatever operations are chosen.
    A row is the tokens of all nodes, the normal cell's first, and then the edge bits, the normal
    cell's first, as in ``Cell.edges``; ``split`` gives the two apart.

    Raises:
        ConfigError: not 1 to 64 nodes, no operation, or one named twice.
        EncodingError: an operation is unknown.
    """

    nodes: int = 10
    operations: tuple[str, ...] = ORIGINAL_OPERATIONS
    tied: bool = False

    kind: ClassVar[str] = "cell_pair"

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        if not 1 <= self.nodes <= MAX_NODES:
            raise ConfigError(f"Space.nodes must be 1 to {MAX_NODES}, got {self.nodes}")
        if not self.operations:
            raise ConfigError("Space.operations must name at least one operation, got none")
        if len(set(self.operations)) < len(self.operations):
            twice = next(o for o in self.operations if self.operations.count(o) > 1)
            raise ConfigError(f"Space.operations names {twice!r} twice; name it once")
        for name in self.operations:
            operation(name)

    @property
    def cells(self) -> int:
        """Number of independent cells in an architecture."""
        return 1 if self.tied else 2

    @property
    def bits(self) -> int:
        """Number of edge bits of one cell."""
        return self.nodes * (self.nodes - 1) // 2

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each decision: of the tokens, then 2 for each bit."""
        tokens, bits = self.cells * self.nodes, self.cells * self.bits
        return (len(self.operations),) * tokens + (2,) * bits

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The node, or the edge from one node to a later one, of each decision, counted from 0."""
        roles = ("",) if self.tied else ("normal ", "reduction ")
        edges = [(source, node) for node in range(self.nodes) for source in range(node)]
        tokens = (f"{role}node {node}" for role in roles for node in range(self.nodes))
        return (*tokens, *(f"{role}edge {a}-{b}" for role in roles for a, b in edges))

    @cached_property
    def steps(self) -> Steps:
        """Node by node: at once which earlier nodes it reads, then its operation."""
        steps: list[int | tuple[int, ...]] = []
        bit = self.cells * self.nodes
        for cell in range(self.cells):
            for node in range(self.nodes):
                if node:
                    steps.append(tuple(range(bit, bit + node)))
                steps.append(cell * self.nodes + node)
                bit += node
        return tuple(steps)

    @cached_property
    def _op_ids(self) -> Integers:
        return np.array([operation(name).id for name in self.operations])

    def split(self, row: Integers) -> tuple[Integers, Integers]:
        """Views of a row: tokens ``[cells * nodes]`` and bits ``[cells * nodes (nodes - 1) / 2]``.

        Of rows ``[..., decisions]`` these are the last axis.
        """
        tokens = self.cells * self.nodes
        return row[..., :tokens], row[..., tokens:]

    def decode(self, row: Integers | Sequence[int]) -> CellPair:
        """The architecture with these decisions, ``[len(sizes)]``.

        Raises:
            EncodingError: another number of decisions, or one out of range.
        """
        tokens, bits = self.split(check_row(row, self.sizes))
        made = [
            Cell(tuple(op_ids), tuple(edges))
            for op_ids, edges in zip(
                self._op_ids[tokens].reshape(self.cells, self.nodes).tolist(),
                bits.reshape(self.cells, self.bits).tolist(),
                strict=True,
            )
        ]
        return CellPair(made[0], made[-1])

    def encode(self, architecture: CellPair) -> Integers:
        """The decisions behind an architecture: the inverse of ``decode``, int64.

        Raises:
            ConfigError: the architecture is not of this space.
        """
        self.check(architecture)
        position = {operation(name).id: i for i, name in enumerate(self.operations)}
        cells = (architecture.normal, architecture.reduction)[: self.cells]
        tokens = [position[op_id] for cell in cells for op_id in cell.op_ids]
        return np.array([*tokens, *(bit for cell in cells for bit in cell.edges)], np.int64)

    def check(self, architecture: object) -> CellPair:
        """Return the architecture if it is of this space, else raise ConfigError."""
        pair = of_kind(architecture, CellPair, "cell pairs")
        if pair.normal.nodes != self.nodes:
            raise ConfigError(
                f"an architecture of {pair.normal.nodes} nodes is not of this space"
                f" of {self.nodes}; set Space.nodes"
            )
        if self.tied and pair.normal != pair.reduction:
            raise ConfigError("a tied space has equal cells, got two; set Space.tied to false")
        used = {*pair.normal.operations, *pair.reduction.operations}
        if foreign := sorted(used - set(self.operations)):
            raise ConfigError(f"Space.operations lacks {foreign[0]!r}, which the architecture uses")
        return pair

    def architectures(self) -> Iterator[CellPair]:
        """Every architecture once, in canonical form, in the order of the encodings.

        Raises:
            ConfigError: there are more than ``MOST_LISTED`` encodings to go through.
        """
        encodings = len(self.operations) ** self.nodes * 2**self.bits
        if (encodings if self.tied else encodings**2) > MOST_LISTED:
            raise ConfigError(
                f"a space of {self.nodes} nodes and {len(self.operations)} operations is too large"
                f" to list ({encodings:.3g} encodings of a cell, at most {MOST_LISTED:,} in all);"
                " choose fewer Space.nodes or Space.operations, or set Space.tied to true"
            )
        seen: dict[Cell, None] = {}
        for tokens in product(range(len(self.operations)), repeat=self.nodes):
            op_ids = tuple(operation(self.operations[token]).id for token in tokens)
            for bits in product((0, 1), repeat=self.bits):
                cell = canonical_cell(Cell(op_ids, bits))
                if cell not in seen:
                    seen[cell] = None
                    if self.tied:
                        yield CellPair(cell, cell)
        if not self.tied:
            yield from (CellPair(*pair) for pair in product(seen, repeat=2))

    def sample(self, rng: np.random.Generator) -> CellPair:
        """An architecture with every operation and every edge bit uniform and independent."""
        tokens = rng.integers(len(self.operations), size=self.cells * self.nodes)
        bits = rng.integers(2, size=self.cells * self.bits)
        return self.decode(np.concatenate([tokens, bits]))

    def canonical(self, architecture: CellPair) -> CellPair:
        """The form that all ways to name the architecture's nodes have in common."""
        return canonical_pair(architecture)

    def twin(self, architecture: CellPair, rng: np.random.Generator) -> CellPair:
        """The same architecture with each cell's nodes in another order, drawn from ``rng``."""
        normal = renamed_cell(architecture.normal, rng)
        return CellPair(normal, normal if self.tied else renamed_cell(architecture.reduction, rng))

    def mutate(self, architecture: CellPair, rng: np.random.Generator) -> CellPair:
        """Change one decision: another operation for a node, or one edge bit flipped.

        An operation is changed with probability one half (always, if there are no bits; never,
        if there is one operation only). Real et al., AAAI 2019, section 3.

        Raises:
            ConfigError: the space has a single architecture, or it is not of this space.
        """
        row = self.encode(architecture)
        tokens, bits = self.split(row)
        choices = len(self.operations)
        if choices == 1 and not len(bits):
            raise ConfigError("a space of one architecture has nothing to mutate; add operations")
        if not len(bits) or (choices > 1 and rng.random() < 0.5):
            node = rng.integers(len(tokens))
            tokens[node] = (tokens[node] + rng.integers(1, choices)) % choices
        else:
            bits[rng.integers(len(bits))] ^= 1
        return self.decode(row)
