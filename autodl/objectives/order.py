"""Rows that come one by one, kept in the order of ``pareto.preference``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autodl.objectives.dominance import crowding, dominators, ranks

_MANY = 100  # from here on ranking all at once is faster than row by row


class ParetoOrder:
    """Which row is the next to be taken, and which are too far behind.

    Of N rows a new one costs O(N), vectorised, and a few comparisons for every front that it
    pushes rows out of. Many at once, as of a search that goes on, cost what ``pareto.ranks`` and
    ``pareto.dominators`` do; O(N log N) for two objectives.
    """

    def __init__(self, objectives: int) -> None:
        self._pending: list[tuple[float, ...]] = []
        self._count = 0  # of rows that are ranked; the arrays have room for more
        self._values = np.empty((objectives, _MANY))
        self._ranks = np.empty(_MANY, np.int64)
        self._dominators = np.empty(_MANY, np.int64)
        self._waiting = np.ones(_MANY, bool)  # not taken
        self._kept = np.ones(_MANY, bool)  # not given up

    def __len__(self) -> int:
        return self._count + len(self._pending)

    def add(self, row: tuple[float, ...]) -> int:
        """Its position, from 0 on. NaN is worse than everything."""
        self._pending.append(row)
        if len(self) > len(self._waiting):
            self._grow()
        return len(self) - 1

    def take(self, position: int) -> None:
        """A row that is not to be found any more; it keeps its place in the order."""
        self._waiting[position] = False

    def best(self, places: int) -> int | None:
        """The first in the order that was not taken, if it is among the first ``places``."""
        self._update()
        by_rank, waiting = self._ranks[: self._count], self._waiting[: self._count]
        if not waiting.any():
            return None
        rank = by_rank[waiting].min()  # all of lower ranks are taken
        places -= int(np.count_nonzero(by_rank < rank))
        if places <= 0:
            return None
        members = np.flatnonzero(by_rank == rank)
        order = np.argsort(-crowding(self._values[:, members].T), kind="stable")
        first = members[order][:places]
        left = first[waiting[first]]
        return int(left[0]) if len(left) else None

    def give_up(self, places: int) -> list[int]:
        """Rows that at least ``places`` others dominate, if not taken; each only once.

        Whatever follows, those others have lower ranks and so stay before them.
        """
        if len(self) <= places:
            return []
        self._update()
        count = self._count
        behind = self._dominators[:count] >= places
        found = np.flatnonzero(behind & self._waiting[:count] & self._kept[:count])
        self._kept[found] = False
        return [int(position) for position in found]

    def _grow(self) -> None:
        self._values = np.concatenate([self._values, np.empty_like(self._values)], axis=1)
        self._ranks, self._dominators = np.tile(self._ranks, 2), np.tile(self._dominators, 2)
        new = np.ones(len(self._waiting), bool)
        self._waiting = np.concatenate([self._waiting, new])
        self._kept = np.concatenate([self._kept, new])

    def _update(self) -> None:
        """Rank what was added."""
        if not self._pending:
            return
        rows = np.array(self._pending, np.float64).T
        rows[np.isnan(rows)] = -np.inf
        self._pending.clear()
        start, self._count = self._count, self._count + rows.shape[1]
        self._values[:, start : self._count] = rows
        if rows.shape[1] > _MANY:
            table = self._values[:, : self._count].T
            self._ranks[: self._count] = ranks(table)
            self._dominators[: self._count] = dominators(table)
            return
        for position in range(start, self._count):
            self._insert(position)

    def _insert(self, position: int) -> None:
        """Rank one row below all that dominate it, and move down what it pushes out."""
        values, row = self._values[:, :position], self._values[:, position, None]
        at_least = np.logical_and.reduce(values >= row, axis=0)
        at_most = np.logical_and.reduce(values <= row, axis=0)
        above, below = at_least & ~at_most, at_most & ~at_least
        by_rank = self._ranks[:position]
        rank = int(by_rank[above].max(initial=-1)) + 1
        self._dominators[:position] += below
        self._dominators[position] = np.count_nonzero(above)
        self._push(by_rank, np.flatnonzero(below), rank)
        self._ranks[position] = rank

    def _push(self, by_rank: NDArray[np.int64], below: NDArray[np.int64], rank: int) -> None:
        """Move rows of a front to the next, and from there those that they dominate, and so on.

        Source: Li et al., Efficient Nondomination Level Update, IEEE Trans. Cybernetics 2017.
        """
        old, sizes = by_rank[below], np.bincount(by_rank)
        moved, steps = below[old == rank], np.zeros(len(by_rank), bool)
        while len(moved):
            if len(moved) == sizes[rank]:  # the whole front, and so all that follow it
                steps |= by_rank >= rank
                break
            steps[moved] = True
            rank += 1
            following = below[old == rank]
            upper, lower = self._values[:, moved, None], self._values[:, None, following]
            moved = following[np.logical_and.reduce(upper >= lower, axis=0).any(axis=0)]
        by_rank += steps
