"""Candidates: the rows among which an acquisition chooses."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from autodl.spaces.space import Integers

_MOST_CHANGES = 3


def all_rows(sizes: Sequence[int]) -> Integers:
    """Every row, the last decision changing fastest; int64 ``[prod(sizes), len(sizes)]``."""
    grid = np.indices(tuple(sizes), np.int64)
    return np.ascontiguousarray(grid.reshape(len(sizes), -1).T)


def random_rows(sizes: Sequence[int], count: int, rng: np.random.Generator) -> Integers:
    """Rows with every decision uniform and independent, int64 ``[count, len(sizes)]``."""
    return rng.integers(np.asarray(sizes, np.int64), size=(count, len(sizes)))


def neighbours(row: Integers, sizes: Sequence[int]) -> Integers:
    """All rows that differ in one decision, int64 ``[sum(sizes) - len(sizes), len(sizes)]``."""
    found = np.repeat(row[None], sum(sizes) - len(sizes), axis=0)
    at = 0
    for place, size in enumerate(sizes):
        found[at : at + size - 1, place] = np.delete(np.arange(size), row[place])
        at += size - 1
    return found


def mutations(
    rows: Integers, sizes: Sequence[int], count: int, rng: np.random.Generator
) -> Integers:
    """Rows made from these, drawn at random, by one to three changes of a decision.

    Decisions of a single value stay. Int64 ``[count, len(sizes)]``.
    """
    found = rows[rng.integers(len(rows), size=count)]
    limits = np.asarray(sizes, np.int64)
    open_ = np.flatnonzero(limits > 1)
    steps = rng.integers(1, _MOST_CHANGES + 1, size=count)
    for step in range(_MOST_CHANGES if len(open_) else 0):
        places = open_[rng.integers(len(open_), size=count)]
        values = found[np.arange(count), places]
        changed = (values + rng.integers(1, limits[places])) % limits[places]
        found[np.arange(count), places] = np.where(step < steps, changed, values)
    return found


class Candidates:
    """All rows of a small space; of a larger one random rows and those around the best.

    Args:
        sizes: of the decisions.
        listed: up to so many rows are all taken.
        random: rows that are drawn from the whole space.
        parents: of the best rows so far, all neighbours are taken.
        mutated: rows that are drawn from around these parents.
    """

    def __init__(
        self, sizes: Sequence[int], *, listed: int, random: int, parents: int, mutated: int
    ) -> None:
        self._sizes = tuple(sizes)
        self._random, self._parents, self._mutated = random, parents, mutated
        self._all = all_rows(sizes) if prod(sizes) <= max(listed, 1) else None

    @property
    def complete(self) -> bool:
        """Whether they are all rows of the space."""
        return self._all is not None

    def __call__(self, rows: Integers, rewards: np.ndarray, rng: np.random.Generator) -> Integers:
        """Rows to choose among, each once, int64 ``[N, len(sizes)]``.

        Args:
            rows: tried ones, int64 ``[n, len(sizes)]``, ``n`` > 0.
            rewards: what they gave, float64 ``[n]``; of equal ones the first are the best.
        """
        if self._all is not None:
            return self._all
        best = rows[np.argsort(-rewards, kind="stable")[: self._parents]]
        return np.unique(
            np.vstack(
                [
                    random_rows(self._sizes, self._random, rng),
                    *(neighbours(row, self._sizes) for row in best),
                    mutations(best, self._sizes, self._mutated, rng),
                ]
            ),
            axis=0,
        )
