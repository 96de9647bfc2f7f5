"""How far the weights of an architecture have turned in the training of a supernet.

The larger the angle between its first and its trained weights, the faster it learns. The vector of
an architecture has the weights on each way through its cells, one way behind the other: what lies
on several ways counts several times. A pool is a constant vector, ``1 / k^2`` everywhere in
``[C, k, k]``, a skip connection is nothing, and a way with ``none`` on it is none. What all
architectures share counts once. Biases and batch-norms do not count. Everything is float64.

Source: Hu et al., Angle-based Search Space Shrinking, ECCV 2020 (arXiv:2004.13431), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.plans.layers import AvgPool, Conv, Linear, MaxPool
from autodl.plans.plan import Record
from autodl.spaces.space import Branched, Coded, Integers
from autodl.supernets.single_path.blocks import Blocks

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Sums: TypeAlias = NDArray[np.float64]


def sums_of(first: NDArray[Any], last: NDArray[Any]) -> Sums:
    """``<u, v>``, ``|u|^2`` and ``|v|^2`` of two arrays of one shape, as vectors: ``[3]``."""
    u, v = (np.asarray(array, np.float64).ravel() for array in (first, last))
    return np.array([u @ v, u @ u, v @ v])


def angle_of(sums: Sums) -> NDArray[np.float64]:
    """Angles ``[...]`` in radians, 0 to pi, of what ``sums_of`` gives, ``[..., 3]``.

    NaN where a vector is 0.
    """
    cosine = sums[..., 0] / np.sqrt(sums[..., 1] * sums[..., 2])
    found: NDArray[np.float64] = np.arccos(np.clip(cosine, -1.0, 1.0))
    return found


@dataclass(frozen=True, slots=True)
class AngleTable:
    """Sums of every block, of which the angle of any architecture is made.

    Args:
        space: whose architectures it knows.
        shared: of what all have, ``[3]``.
        chosen: of the blocks of each decision and value, ``[values, 3]`` each.
    """

    space: Coded[Any]
    shared: Sums
    chosen: tuple[Sums, ...]

    @classmethod
    def of(cls, space: Coded[Any], blocks: Blocks, first: Arrays, last: Arrays) -> AngleTable:
        """Sum up two states of a supernet.

        Args:
            first, last: its arrays by name, before and after the training.
        """
        row = np.zeros(len(space.sizes), np.int64)
        chosen = []
        for decision, variants in enumerate(blocks.chosen):
            values = []
            for value, records in enumerate(variants):
                own = row.copy()
                own[decision] = value
                values.append(_sums(records, blocks, own, first, last, constants=True))
            chosen.append(np.array(values))
        shared = _sums(blocks.shared, blocks, row, first, last, constants=False)
        return cls(space, shared, tuple(chosen))

    def own(self) -> AngleTable:
        """The same without what all architectures share.

        The source takes that in. It is trained in every update and an operation in one of several,
        so in a short training it turns furthest, and the more so the fewer operations there are.
        """
        return replace(self, shared=np.zeros(3))

    def angles(self, rows: Integers) -> NDArray[np.float64]:
        """Angles ``[N]`` in radians of the architectures of rows, int64 ``[N, decisions]``.

        0 where no way leads through, as only what all architectures share is left of it, and where
        there is nothing that could turn.
        """
        space = self.space
        ways = space.ways_through(rows) if isinstance(space, Branched) else np.ones_like(rows)
        total = np.tile(self.shared, (len(rows), 1))
        for decision, sums in enumerate(self.chosen):
            total += ways[:, decision, None] * sums[rows[:, decision]]
        turned = ways.any(axis=1) & (total[:, 1] > 0)
        found = np.zeros(len(rows))
        found[turned] = angle_of(total[turned])
        return found


def _sums(
    records: Iterable[Record],
    blocks: Blocks,
    row: Integers,
    first: Arrays,
    last: Arrays,
    *,
    constants: bool,
) -> Sums:
    total = np.zeros(3)
    for record in records:
        layer = record.layer
        if isinstance(layer, Conv | Linear):
            name = f"{blocks.key(record.name, row)}.weight"
            total += sums_of(first[name], last[name])
        elif constants and isinstance(layer, AvgPool | MaxPool):
            total += record.shape[0] / prod(layer.kernel)  # C k^2 numbers, the square of 1 / k^2
    return total
