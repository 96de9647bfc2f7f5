"""What the architectures of a space cost, added up from their blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from autodl.plans.plan import Record
from autodl.spaces.space import Integers
from autodl.supernets.single_path.blocks import Blocks


@dataclass(frozen=True, slots=True)
class CostTable:
    """Multiply-accumulates of the shared layers, and of each block.

    Args:
        shared: of what all architectures have.
        chosen: for each decision, of its blocks: int64 ``[values]``.
    """

    shared: int
    chosen: tuple[Integers, ...]

    @classmethod
    def of(cls, blocks: Blocks) -> CostTable:
        """Count the layers of all blocks; each costs the same in every architecture."""
        chosen = tuple(
            np.array([_macs(records) for records in variants], np.int64)
            for variants in blocks.chosen
        )
        return cls(_macs(blocks.shared), chosen)

    def macs(self, rows: Integers) -> Integers:
        """Of the architectures of rows, int64 ``[N, decisions]``: int64 ``[N]``."""
        total = np.full(len(rows), self.shared, np.int64)
        for decision, costs in enumerate(self.chosen):
            total += costs[rows[:, decision]]
        return total


def _macs(records: Iterable[Record]) -> int:
    return sum(record.layer.macs(record.shape) for record in records)
