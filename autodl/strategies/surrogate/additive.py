"""An additive Gaussian process as a surrogate, by quadrature Fourier features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from autodl.spaces.space import Coded, Integers
from autodl.strategies.options import AdditiveThompsonOptions, SurrogateOptions
from autodl.strategies.surrogate.candidates import Situation, neighbours
from autodl.strategies.surrogate.fourier_features import (
    AdditiveFeatures,
    FourierFeatures,
    Weights,
    drawn,
    quadrature,
    regress,
)
from autodl.strategies.surrogate.ridge import MOST_FITTED, LinearPosterior, evidence, spaced
from autodl.strategies.surrogate.surrogate import Reals
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch

LENGTHSCALES = (0.4, 0.7, 1.2)
_DRAWS = 20


def additive_thompson(
    space: Coded[Any], options: AdditiveThompsonOptions | None = None, *, seed: int = 0
) -> SurrogateSearch[Any]:
    """The strategy: where a draw of an additive process is highest, of all rows of the space.

    Raises:
        ConfigError: the space is not coded.
    """
    chosen = options or AdditiveThompsonOptions()
    return SurrogateSearch(
        space,
        SurrogateOptions(acquisition="thompson", initial=chosen.initial, rewards=chosen.rewards),
        seed=seed,
        make=lambda space: AdditiveProcess(
            space.sizes,
            group=chosen.group,
            nodes=chosen.nodes,
            partitions=chosen.partitions,
            random=chosen.features == "random",
        ),
        ranking=MaximaOfDraws(),
    )


class MaximaOfDraws:
    """The rows that ``AdditiveProcess`` draws."""

    complete = False

    def ranked(self, situation: Situation, rng: np.random.Generator) -> Iterator[Integers]:
        """Its maxima, see ``best_of_draws``."""
        model = situation.surrogate
        if not isinstance(model, AdditiveProcess):
            raise TypeError(f"it draws from an AdditiveProcess, got {type(model).__name__}")
        yield from model.best_of_draws(rng)


class AdditiveProcess:
    """A sum of squared exponential kernels, each over a group of decisions that no other has.

    A decision's values stand evenly on [0, 1] in the order of their codes: their order means
    something, as that of widths, depths and kernel sizes does; of operations it is arbitrary. At
    each fit the groups are the likeliest of several random partitions, with the likeliest of three
    lengthscales and of a grid of noises (the paper takes groups as known, or draws them). An
    update costs O(n F^2 + F^3) for ``F`` features, which are 2 ceil(nodes^group / 2) a group.

    Args:
        group: decisions in a group; the last one may have fewer.
        nodes: of the quadrature, for each decision; 8 are off by 1e-3 at the shortest lengthscale.
        partitions: random ones that are compared at each fit.
        random: frequencies are drawn, as many as the quadrature has: the control.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        group: int = 2,
        nodes: int = 8,
        partitions: int = 5,
        random: bool = False,
    ) -> None:
        self._sizes = tuple(sizes)
        self._levels = [np.linspace(0, 1, size) if size > 1 else np.zeros(1) for size in sizes]
        self._group, self._nodes, self._partitions = group, nodes, partitions
        self._random = random
        self._features = self._made(self._partition(np.random.default_rng(0)), LENGTHSCALES[1])
        self._noise, self._scale = 1.0, 1.0
        self._points: Reals = np.empty((0, len(sizes)))
        self._rewards: Reals = np.empty(0)

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Learn groups, lengthscale and noise from ``n`` > 0 rows."""
        self._points, self._rewards = self._placed(rows), rewards
        some = spaced(len(rows), MOST_FITTED)
        rng = np.random.default_rng(len(rows))
        best = -np.inf
        for groups in [self._partition(rng) for _ in range(self._partitions)]:
            for lengthscale in LENGTHSCALES:
                made = self._made(groups, lengthscale)
                features = made(self._points[some])
                found, noise, scale = evidence(features @ features.T, rewards[some])
                if found > best:
                    best, self._features = found, made
                    self._noise, self._scale = noise, scale

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows; groups, lengthscale and noise are kept."""
        self._points = np.vstack([self._points, self._placed(rows)])
        self._rewards = rewards

    def posterior(self, rows: Integers) -> LinearPosterior:
        """What it believes of these rows."""
        weights = self._weights()
        factor = weights.factor / np.sqrt(self._noise)
        return LinearPosterior(
            self._features(self._placed(rows)), weights.mean, factor, self._scale
        )

    def best_of_draws(self, rng: np.random.Generator) -> Iterator[Integers]:
        """Rows where draws of the function are highest, one for each draw; then their neighbours.

        Exact over the whole space, however large it is: groups are maximised one by one.
        """
        weights = self._weights()
        widened = Weights(weights.mean, weights.factor, self._noise * self._scale)
        found = []
        for _ in range(_DRAWS):
            row = np.array(self._features.best(widened.draw(rng), self._levels), np.int64)
            found.append(row)
            yield row
        for row in found:
            yield from rng.permutation(neighbours(row, self._sizes))

    def _weights(self) -> Weights:
        return regress(self._features(self._points), self._rewards, self._noise)

    def _placed(self, rows: Integers) -> Reals:
        """Values on [0, 1], float64 ``[n, decisions]``."""
        return np.asarray(rows / np.maximum(np.asarray(self._sizes) - 1, 1), np.float64)

    def _partition(self, rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
        order = rng.permutation(len(self._sizes)).tolist()
        starts = range(0, len(order), self._group)
        return tuple(tuple(sorted(order[at : at + self._group])) for at in starts)

    def _made(self, groups: tuple[tuple[int, ...], ...], lengthscale: float) -> AdditiveFeatures:
        maps = [self._map([lengthscale] * len(group), 1 / len(groups)) for group in groups]
        return AdditiveFeatures(groups, tuple(maps))

    def _map(self, lengthscales: Sequence[float], variance: float) -> FourierFeatures:
        made = quadrature(lengthscales, self._nodes, variance)
        if not self._random:
            return made
        return drawn(lengthscales, made.width // 2, np.random.default_rng(0), variance)
