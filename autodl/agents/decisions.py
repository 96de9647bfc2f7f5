"""The order in which the LSTM agent decides on an architecture, as arrays.

An architecture of ``blocks`` cells (normal, reduction) of ``nodes`` nodes is decided node by
node: operation 0; then, for node 1 .. N-1, which earlier nodes it reads and its operation.
Every decision is one LSTM step whose input is the decision before it. This file is pure
NumPy and holds no parameters. Source: AutoDL Design (Baidu, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Decisions:
    """Shapes and order of the decisions.

    ``tokens`` are int64 ``[B, blocks * nodes]`` in ``[0, choices)``; ``bits`` are 0 or 1,
    int64 ``[B, blocks * nodes * (nodes - 1) / 2]`` as in ``Cell.edges``.
    """

    blocks: int
    nodes: int
    choices: int

    @property
    def tokens(self) -> int:
        """Number of operations to decide on."""
        return self.blocks * self.nodes

    @property
    def bits(self) -> int:
        """Number of edge bits to decide on."""
        return self.blocks * self.nodes * (self.nodes - 1) // 2

    @property
    def rows(self) -> int:
        """Number of edge decisions; each settles all the bits of one node."""
        return self.blocks * (self.nodes - 1)

    @property
    def steps(self) -> int:
        """Number of LSTM steps: one for every operation and every edge decision."""
        return self.tokens + self.rows

    @property
    def input_size(self) -> int:
        """Width of a step's input: a one-hot operation or a node's bits, whichever is wider."""
        return max(self.nodes - 1, self.choices)

    @cached_property
    def token_steps(self) -> IntArray:
        """The step that emits each operation, ``[blocks * nodes]``."""
        block = np.arange(self.blocks)[:, None] * (2 * self.nodes - 1)
        return (block + 2 * np.arange(self.nodes)).reshape(-1)

    @cached_property
    def row_steps(self) -> IntArray:
        """The step that emits each edge decision, ``[blocks * (nodes - 1)]``."""
        block = np.arange(self.blocks)[:, None] * (2 * self.nodes - 1)
        return (block + 2 * np.arange(self.nodes - 1) + 1).reshape(-1)

    @cached_property
    def row_mask(self) -> NDArray[np.bool_]:
        """Which columns of an edge decision exist, ``[rows, nodes - 1]``: node n has n."""
        triangle = np.tril(np.ones((self.nodes - 1, self.nodes - 1), bool))
        return np.tile(triangle, (self.blocks, 1))

    def to_rows(self, bits: IntArray) -> IntArray:
        """Bits ``[B, bits]`` as edge decisions ``[B, rows, nodes - 1]``, zero-padded."""
        rows = np.zeros((len(bits), self.rows, self.nodes - 1), np.int64)
        rows[:, self.row_mask] = bits
        return rows

    def to_bits(self, rows: IntArray) -> IntArray:
        """The inverse of ``to_rows``."""
        return rows[:, self.row_mask]

    def inputs(self, tokens: IntArray, rows: IntArray) -> FloatArray:
        """What every step reads when these decisions are forced, ``[B, steps, input_size]``.

        The first step reads zeros; each other step reads the decision of the step before it.
        """
        batch = len(tokens)
        emitted = np.zeros((batch, self.steps + 1, self.input_size), np.float32)
        emitted[np.arange(batch)[:, None], 1 + self.token_steps, tokens] = 1.0
        emitted[:, 1 + self.row_steps, : self.nodes - 1] = rows
        return emitted[:, :-1]
