"""Rows of decisions as numbers that a linear model can weigh."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations
from typing import Any, Protocol, runtime_checkable

import numpy as np

from autodl.spaces.space import Integers, Pathed
from autodl.strategies.surrogate.surrogate import Reals
from autodl.system.roles import Role

_SAMPLED = 1000


@runtime_checkable
class Encoding(Role, Protocol):
    """Rows -> features; in groups, each with a prior variance of its own."""

    @property
    def groups(self) -> tuple[int, ...]:
        """Number of features of each group, in order."""
        ...

    def features(self, rows: Integers) -> Reals:
        """Float64 ``[N, sum(groups)]``; squares of a group sum to 1, at least on average."""
        ...


class OneHot:
    """A feature for every value of every decision: 1 / sqrt(decisions) where it was taken.

    The inner product of two rows is the share of their decisions that agree.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = np.asarray(sizes, np.int64)
        self._firsts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)
        self.groups: tuple[int, ...] = (int(self.sizes.sum()),)

    def features(self, rows: Integers) -> Reals:
        """Float64 ``[N, sum(sizes)]``."""
        features = np.zeros((len(rows), self.groups[0]))
        np.put_along_axis(features, rows + self._firsts, 1 / np.sqrt(len(self.sizes)), axis=1)
        return features


class Pairs:
    """One-hot decisions and, as a second group, one-hot pairs of decisions.

    Of rows that agree in ``s`` of ``d`` decisions the second group's inner product is
    ``s (s - 1) / d (d - 1)``.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._single = OneHot(sizes)
        pairs = list(combinations(range(len(sizes)), 2))
        self._left = np.array([left for left, _ in pairs], np.int64)
        self._right = np.array([right for _, right in pairs], np.int64)
        self._widths = np.array([sizes[right] for _, right in pairs], np.int64)
        self._paired = OneHot([sizes[left] * sizes[right] for left, right in pairs])

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """Features of single decisions and of pairs; without a pair there is one group."""
        return self._single.groups + (self._paired.groups if len(self._left) else ())

    def features(self, rows: Integers) -> Reals:
        """Float64 ``[N, sum(groups)]``."""
        single = self._single.features(rows)
        if not len(self._left):
            return single
        pairs = rows[:, self._left] * self._widths + rows[:, self._right]
        return np.hstack([single, self._paired.features(pairs)])


class PathCounts:
    """Square roots of how many ways through a network apply each sequence of operations.

    They are scaled so that the squares of a random row sum to 1 on average. Twins look the same,
    and networks of different wiring look alike as far as they compute alike, which one-hot
    decisions do not show. Source: White et al., BANANAS, AAAI 2021, for the use of paths.
    """

    def __init__(self, space: Pathed[Any]) -> None:
        self._space = space
        rows = np.random.default_rng(0).integers(space.sizes, size=(_SAMPLED, len(space.sizes)))
        counts = space.path_counts(rows)
        self._scale = 1 / np.sqrt(max(float(counts.sum(axis=1).mean()), 1e-12))
        self.groups: tuple[int, ...] = (counts.shape[1],)

    def features(self, rows: Integers) -> Reals:
        """Float64 ``[N, P]``."""
        return np.asarray(np.sqrt(self._space.path_counts(rows)) * self._scale, np.float64)
