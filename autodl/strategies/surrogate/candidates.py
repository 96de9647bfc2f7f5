"""Candidates: the rows among which an acquisition chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.acquisition import positions_of_best
from autodl.strategies.surrogate.surrogate import PastScores, Reals, Surrogate

_DIGITS = 9
_MOST_CHANGES = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What a search knows when it looks for the next row.

    ``tried`` are the rows of this search, perhaps none, and what they gave; ``past`` the same of
    earlier runs; ``score`` is the acquisition of rows, float64 ``[N]``.
    """

    surrogate: Surrogate
    score: Callable[[Integers], Reals]
    tried: PastScores
    past: Sequence[PastScores] = ()

    def best_first(self, rows: Integers) -> Integers:
        """The rows by score, to nine digits; of equal ones the first."""
        return rows[positions_of_best(np.round(self.score(rows), _DIGITS), len(rows))]


class Ranking(Protocol):
    """Where a search looks: rows to try, the most promising first."""

    @property
    def complete(self) -> bool:
        """Whether all rows of the space are among them."""
        ...

    def ranked(self, situation: Situation, rng: np.random.Generator) -> Iterator[Integers]:
        """Rows, int64 ``[len(sizes)]``; what was tried may be among them."""
        ...


def all_rows(sizes: Sequence[int]) -> Integers:
    """Every row, the last decision changing fastest; int64 ``[prod(sizes), len(sizes)]``."""
    grid = np.indices(tuple(sizes), np.int64)
    return np.ascontiguousarray(grid.reshape(len(sizes), -1).T)


def random_rows(sizes: Sequence[int], count: int, rng: np.random.Generator) -> Integers:
    """Rows with every decision uniform and independent, int64 ``[count, len(sizes)]``."""
    return rng.integers(np.asarray(sizes, np.int64), size=(count, len(sizes)))


def distinct_rows(rows: Integers, sizes: Sequence[int]) -> Integers:
    """The rows, each once and in lexical order, int64 ``[n, len(sizes)]``.

    As ``np.unique(rows, axis=0)``, but sorted by one number a row where the numbers of all rows of
    the space fit into int64; that takes a sixth of the time.
    """
    if prod(sizes) > np.iinfo(np.int64).max:
        return np.unique(rows, axis=0)
    weights = np.array([prod(sizes[place + 1 :]) for place in range(len(sizes))], np.int64)
    _, first = np.unique(rows @ weights, return_index=True)
    return rows[first]


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
        found = [
            random_rows(self._sizes, self._random, rng),
            *(neighbours(row, self._sizes) for row in best),
            mutations(best, self._sizes, self._mutated, rng),
        ]
        return distinct_rows(np.vstack(found), self._sizes)

    def ranked(self, situation: Situation, rng: np.random.Generator) -> Iterator[Integers]:
        """All candidates by score; those around the best of earlier runs are among them."""
        known = [run for run in (situation.tried, *situation.past) if len(run[0])]
        candidates = [self(rows, rewards, rng) for rows, rewards in known[: self._sources]]
        yield from situation.best_first(distinct_rows(np.vstack(candidates), self._sizes))

    @property
    def _sources(self) -> int | None:
        return 1 if self.complete else None
