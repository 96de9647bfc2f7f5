"""NASBOT's kernel: networks are alike if little work has to be moved from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autodl.plans.plan import Plan
from autodl.spaces.catalogue import NETWORKS
from autodl.spaces.space import Coded, Integers
from autodl.strategies.surrogate.kernels import Pullback
from autodl.strategies.surrogate.surrogate import Reals
from autodl.strategies.surrogate.transport.otmann import (
    STRUCTURE_WEIGHTS,
    Profile,
    distances,
    profile,
)

_MOST_KEPT = 1_000_000
_SAMPLES = 16
_SERIES = {"channels": 1, "length": 64, "outputs": 1}
# One cell a stage: the distances are those of a deeper stack, nearly in proportion, and cost less.
PLANS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "cell_pair": ("CellNetwork", {"cells_per_stage": 1}),
    "chain": ("ChainNetwork", {}),
    "edge_cell": ("EdgeCellNetwork", {"cells": 1}),
    "mobile": ("MobileNetwork", {}),
    "sequence": ("SequenceNetwork", _SERIES),
    "widths": ("WidthNetwork", {}),
}


def plan_of(kind: str) -> Callable[[Any], Plan] | None:
    """Architecture of this kind -> the plan by which it is compared; None for others."""
    if kind not in PLANS:
        return None
    name, arguments = PLANS[kind]
    factory = NETWORKS[name].load_factory()
    return lambda architecture: factory(architecture, **arguments)


class TransportKernel:
    """``a exp(-sum b_i d_i) + c exp(-sum e_i n_i^2)`` over optimal transport distances.

    ``d_i`` is the distance with the i-th weight of the structure, in masses of an average network,
    and ``n_i`` the normalised one. Settings are logarithms: of a and c, of the b_i, of the e_i.
    The squares make it no covariance in general; of rows with themselves the matrix is therefore
    projected onto the nearest one that is (section 3.2), while gradients are those without it.

    The distances are between plans (``PLANS``), exactly. Genotypes, networks of stages (which
    decide about their training as well), ShuffleNets and a user's own space have none: there an
    architecture is its decisions, each a mass of 1, of which equal ones match, so that the distance
    is twice the Hamming distance. Every distance is computed once and kept, up to a million of
    pairs: two plans of 20 layers take 0.5 ms with all four weights, of 60 layers 4 ms.

    Args:
        structure_weights: the paper's nu; the work is in proportion to their number.
    """

    def __init__(
        self, space: Coded[Any], structure_weights: Sequence[float] = STRUCTURE_WEIGHTS
    ) -> None:
        self._space = space
        self._plan = plan_of(space.kind)
        self._weights = tuple(structure_weights)
        self._profiles: dict[bytes, Profile] = {}
        self._pairs: dict[tuple[bytes, bytes], Reals] = {}
        count = len(self._weights)
        self._unit = self._average_mass()
        each = np.full(2 * count, -np.log(count))
        self.start: Reals = np.concatenate([[-0.7, -0.7], each + np.repeat([1.0, 3.0], count)])
        self.spread: Reals = np.concatenate([[1.0, 1.0], np.full(2 * count, 1.5)])

    def _average_mass(self) -> float:
        """Of some architectures, always the same."""
        if self._plan is None:
            return float(len(self._space.sizes))
        rng = np.random.default_rng(0)
        drawn = [self._space.sample(rng) for _ in range(_SAMPLES)]
        return float(np.mean([profile(self._plan(one)).mass for one in drawn]))

    def features(self, left: Integers, right: Integers) -> Reals:
        """``d_i`` and ``n_i^2`` of all pairs, float64 ``[2 weights, len(left), len(right)]``."""
        found = np.empty((2 * len(self._weights), len(left), len(right)))
        others = [(row.tobytes(), row) for row in right]
        for i, row in enumerate(left):
            key = row.tobytes()
            for j, (other, column) in enumerate(others):
                found[:, i, j] = self._pair(key, row, other, column)
        return found

    def _pair(self, key: bytes, row: Integers, other: bytes, column: Integers) -> Reals:
        name = (key, other) if key <= other else (other, key)
        if name not in self._pairs:
            if len(self._pairs) >= _MOST_KEPT:
                self._pairs.clear()
            self._pairs[name] = self._distances(row, column)
        return self._pairs[name]

    def _distances(self, row: Integers, column: Integers) -> Reals:
        if self._plan is None:
            differ = float((row != column).mean())  # mass 2 n, of which 2 n times this is moved
            return np.repeat([2 * differ, differ**2], len(self._weights))
        first, second = self._profile(row), self._profile(column)
        moved = distances(first, second, self._weights)
        normalised = moved / (first.mass + second.mass)
        return np.concatenate([moved / self._unit, normalised**2])

    def _profile(self, row: Integers) -> Profile:
        key = row.tobytes()
        if key not in self._profiles and self._plan is not None:
            self._profiles[key] = profile(self._plan(self._space.decode(row)))
        return self._profiles[key]

    def matrix(self, settings: Reals, left: Integers, right: Integers) -> Reals:
        """Covariances, float64 ``[len(left), len(right)]``; projected if both are the same."""
        found = sum(_parts(settings, self.features(left, right)))
        return projected(np.asarray(found)) if left is right else np.asarray(found)

    def diagonal(self, settings: Reals, rows: Integers) -> Reals:
        """``a + c`` for every row."""
        return np.full(len(rows), float(np.exp(settings[:2]).sum()))

    def pullback(self, rows: Integers) -> Callable[[Reals], tuple[Reals, Pullback]]:
        """Settings -> matrix of the rows and its pullback."""
        features = self.features(rows, rows)
        half = len(features) // 2

        def value(settings: Reals) -> tuple[Reals, Pullback]:
            first, second = _parts(settings, features)
            rates = np.exp(settings[2:])

            def back(gradient: Reals) -> Reals:
                one, other = gradient * first, gradient * second
                by_rate = [
                    -rate * float((part * feature).sum())
                    for rate, part, feature in zip(
                        rates, [one] * half + [other] * half, features, strict=True
                    )
                ]
                return np.array([one.sum(), other.sum(), *by_rate])

            return projected(first + second), back

        return value


def _parts(settings: Reals, features: Reals) -> tuple[Reals, Reals]:
    half = len(features) // 2
    rates = np.exp(settings[2:])
    first = np.exp(settings[0] - np.tensordot(rates[:half], features[:half], axes=1))
    second = np.exp(settings[1] - np.tensordot(rates[half:], features[half:], axes=1))
    return first, second


def projected(matrix: Reals) -> Reals:
    """The nearest positive semi-definite matrix: negative eigenvalues become 0."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= 0:
        return matrix
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)
