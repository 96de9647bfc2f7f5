"""The ways through a cell with operations on its edges, as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autodl.spaces.edge_cell.architecture import EDGES, NODES
from autodl.spaces.space import Integers

_IDLE = "skip_connect"
_CUT = "none"


def _ways(node: int = 0) -> Iterator[tuple[int, ...]]:
    """Every way from a node to the output, as positions in ``EDGES``."""
    if node == NODES - 1:
        yield ()
    for edge, (source, end) in enumerate(EDGES):
        if source == node:
            yield from ((edge, *rest) for rest in _ways(end))


_WAYS = tuple(_ways())
_LONGEST = max(map(len, _WAYS))


def path_counts(rows: Integers, operations: Sequence[str]) -> Integers:
    """How many ways from input to output apply each sequence of operations.

    A skip connection applies nothing, and a way with ``none`` on it is none. Nodes do not count:
    cells that are one network have the same numbers.

    Args:
        rows: codes, positions among the operations, int64 ``[N, 6]``.
        operations: of the space.

    Returns:
        Int64 ``[N, (K + 1) ** 3]`` for ``K`` operations that are neither of the two; a column is
        the sequence read as a number to the base ``K + 1``, digits from 1.
    """
    applied = [name for name in operations if name not in (_IDLE, _CUT)]
    base = len(applied) + 1
    digit_of = {_IDLE: 0, _CUT: -1, **{name: 1 + at for at, name in enumerate(applied)}}
    digits = np.array([digit_of[name] for name in operations])[rows]
    counts = np.zeros((len(rows), base**_LONGEST), np.int64)
    for way in _WAYS:
        on_way = digits[:, way]
        column = np.zeros(len(rows), np.int64)
        for digit in on_way.T:
            column = np.where(digit > 0, column * base + digit, column)
        counts[np.arange(len(rows)), column] += (on_way >= 0).all(axis=1)
    return counts


def ways_through(rows: Integers, operations: Sequence[str]) -> Integers:
    """How many ways from input to output lead over each edge; one with ``none`` on it is none.

    Args:
        rows: codes, positions among the operations, int64 ``[N, 6]``.
        operations: of the space.

    Returns:
        Int64 ``[N, 6]``, 0 to 2.
    """
    open_ = np.array([name != _CUT for name in operations])[rows]
    counts = np.zeros(rows.shape, np.int64)
    for way in _WAYS:
        counts[:, way] += open_[:, way].all(axis=1, keepdims=True)
    return counts
