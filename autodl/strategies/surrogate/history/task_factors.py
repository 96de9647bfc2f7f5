"""Matrix factorisation as a surrogate: a new search is a new column, see ``latent_factors.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from typing import Any

import numpy as np

from autodl.spaces.space import Coded, Integers
from autodl.strategies.options import LatentFactorsOptions, SurrogateOptions
from autodl.strategies.surrogate.candidates import Situation
from autodl.strategies.surrogate.history.latent_factors import (
    LatentFactors,
    best_on_average,
    fitted,
)
from autodl.strategies.surrogate.posterior import NormalPosterior, stable_cholesky
from autodl.strategies.surrogate.surrogate import PastScores, Reals
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch

_FAR = 1e6  # apart from every other place, and from each other


def latent_factors(
    space: Coded[Any], options: LatentFactorsOptions | None = None, *, seed: int = 0
) -> SurrogateSearch[Any]:
    """The strategy: expected improvement over the architectures that earlier runs have tried.

    It begins with those that were best on average, and proposes no other until they are used up;
    then, and without history, it draws at random.

    Raises:
        ConfigError: the space is not coded.
    """
    chosen = options or LatentFactorsOptions()
    return SurrogateSearch(
        space,
        SurrogateOptions(acquisition="ei", initial=max(chosen.warm, 1), rewards="ranks"),
        seed=seed,
        make=lambda space: TaskFactors(space.sizes, dimensions=chosen.dimensions),
        ranking=KnownRows(chosen.warm),
    )


class KnownRows:
    """The rows that ``TaskFactors`` knows: first the best on average, then by the acquisition."""

    complete = False

    def __init__(self, warm: int) -> None:
        """``warm`` trials are the best on average."""
        self._warm = warm

    def ranked(self, situation: Situation, rng: np.random.Generator) -> Iterator[Integers]:
        """All known rows."""
        model = situation.surrogate
        if not isinstance(model, TaskFactors):
            raise TypeError(f"KnownRows ranks the rows of TaskFactors, got {type(model).__name__}")
        warm = len(situation.tried[0]) < self._warm
        yield from model.known if warm else situation.best_first(model.known)


class TaskFactors:
    """A Gaussian process over places that earlier runs have given to architectures.

    It knows the rows that earlier runs have tried, and no others: of these it believes the prior,
    and what they gave teaches it nothing. Places and settings are learned from the earlier runs
    alone; this search conditions on its own trials.
    """

    def __init__(self, sizes: Sequence[int], *, dimensions: int = 5) -> None:
        """``dimensions`` of the places, at most one for each run makes sense."""
        self._width = len(sizes)
        self._dimensions = dimensions
        self._places: dict[bytes, int] = {}
        self._known: Integers = np.empty((0, len(sizes)), np.int64)
        self._factors: LatentFactors | None = None
        self._best: list[int] = []
        self._rows: Integers = self._known
        self._rewards: Reals = np.empty(0)

    def learn_from(self, past: Sequence[PastScores]) -> None:
        """Place all rows that the runs have tried."""
        everything = [rows for rows, _ in past] or [np.empty((0, self._width), np.int64)]
        self._known = np.unique(np.vstack(everything), axis=0)
        self._places = {row.tobytes(): place for place, row in enumerate(self._known)}
        if not past:
            return
        table = np.full((len(self._known), len(past)), np.nan)
        for task, (rows, scores) in enumerate(past):
            table[self._found(rows), task] = scores
        self._factors = fitted(table, self._dimensions)
        self._best = best_on_average(table, len(table))

    @property
    def known(self) -> Integers:
        """The rows that it knows, the best on average first: int64 ``[N, len(sizes)]``."""
        return self._known[self._best]

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn from the rows of this search, perhaps none."""
        self._rows, self._rewards = rows, rewards

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows."""
        self._rows, self._rewards = np.vstack([self._rows, rows]), rewards

    def posterior(self, rows: Integers) -> NormalPosterior:
        """What it believes of these rows."""
        told = self._found(self._rows) >= 0
        factors = self._factors or LatentFactors(np.empty((0, 1)), 0.0, np.zeros(1), 0.0)
        seen, new = self._placed(self._rows[told], factors), self._placed(rows, factors)
        noisy = factors.kernel(seen, seen) + exp(factors.noise) * np.eye(len(seen))
        whitened = np.linalg.solve(stable_cholesky(noisy), factors.kernel(seen, new))
        solved = np.linalg.solve(stable_cholesky(noisy), self._rewards[told])
        variance = np.maximum(exp(factors.variance) - np.square(whitened).sum(axis=0), 1e-12)

        def between(columns: Integers) -> Reals:
            alone = factors.kernel(new, new[columns])
            return np.asarray(alone - whitened.T @ whitened[:, columns])

        return NormalPosterior(solved @ whitened, variance, between)

    def _found(self, rows: Integers) -> Integers:
        """Positions of rows among the known ones, -1 of those that are none."""
        return np.array([self._places.get(row.tobytes(), -1) for row in rows], np.int64)

    def _placed(self, rows: Integers, factors: LatentFactors) -> Reals:
        """Places of rows; those of unknown ones are far from everything."""
        found = self._found(rows)
        places = np.zeros((len(rows), factors.places.shape[1]))
        places[found >= 0] = factors.places[found[found >= 0]]
        places[found < 0, 0] = _FAR * np.arange(1, (found < 0).sum() + 1)
        return places
