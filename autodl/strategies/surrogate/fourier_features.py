"""Fourier features of a squared exponential kernel: a Gaussian process as a linear model.

``k(x, y) = exp(-|x - y|^2 / 2 g^2)`` is the mean of ``cos w (x - y)`` over normal frequencies ``w``
of deviation ``1 / g``. Drawn frequencies give an error that falls like ``1 / sqrt(m)``; those of a
Gauss-Hermite quadrature one that falls exponentially, ``m! / (2m)! g^-2m`` on ``[0, 1]``. A kernel
that is a sum over small groups of inputs has the features of all groups side by side; then a draw
of the weights is maximised in each group alone.

Source: Mutny and Krause: Efficient high dimensional Bayesian optimization with additivity and
quadrature Fourier features, NeurIPS 2018; drawn features: Rahimi and Recht, NeurIPS 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FourierFeatures:
    """A finite map whose inner products are (nearly) a kernel of ``q`` inputs.

    ``frequencies`` are float64 ``[m, q]``; ``weights``, ``[m]``, sum to the kernel's variance.
    """

    frequencies: Reals
    weights: Reals

    @property
    def width(self) -> int:
        """Number of features: a cosine and a sine for every frequency."""
        return 2 * len(self.weights)

    def __call__(self, points: Reals) -> Reals:
        """Features of points ``[n, q]``: float64 ``[n, 2 m]``, of squared length ``variance``."""
        phases = points @ self.frequencies.T
        size = np.sqrt(self.weights)
        return np.concatenate([size * np.cos(phases), size * np.sin(phases)], axis=1)


def quadrature(lengthscales: Sequence[float], nodes: int, variance: float = 1.0) -> FourierFeatures:
    """The features of a Gauss-Hermite quadrature of ``nodes`` for each input, a tensor grid.

    Frequencies that are each other's negative give the same features, so that one of every two is
    left out and the other weighs twice: of the whole grid, never of each axis, since ``(w, v)`` and
    ``(w, -v)`` are different frequencies. There are ``2 ceil(nodes^q / 2)`` features.

    Args:
        lengthscales: of each of the ``q`` inputs, above 0.
        nodes: of each, from 1. The error begins to fall at about ``e / (4 g^2)``.
    """
    roots, weights = np.polynomial.hermite.hermgauss(nodes)
    roots = (roots - roots[::-1]) / 2  # to the last bit odd and even
    weights = (weights + weights[::-1]) / 2
    inputs = len(lengthscales)
    at = np.indices((nodes,) * inputs).reshape(inputs, -1)
    grid = sqrt(2) * roots[at].T / np.asarray(lengthscales, np.float64)
    weight = variance * np.prod(weights[at] / sqrt(pi), axis=0)
    # the grid's order turned round is the grid of all negatives
    half, odd = divmod(len(weight), 2)
    kept = weight[: half + odd] * np.where(np.arange(half + odd) < half, 2.0, 1.0)
    return FourierFeatures(grid[: half + odd], kept)


def drawn(
    lengthscales: Sequence[float], count: int, rng: np.random.Generator, variance: float = 1.0
) -> FourierFeatures:
    """The features of ``count`` random frequencies: unbiased, and the control of a quadrature."""
    frequencies = rng.normal(size=(count, len(lengthscales))) / np.asarray(lengthscales)
    return FourierFeatures(frequencies, np.full(count, variance / count))


@dataclass(frozen=True, slots=True)
class Weights:
    """The posterior ``N(mean, noise (L L^T)^-1)`` of a linear model's weights ``[D]``."""

    mean: Reals
    factor: Reals
    noise: float

    def draw(self, rng: np.random.Generator) -> Reals:
        """One draw, float64 ``[D]``."""
        normal = rng.normal(size=len(self.mean))
        return self.mean + sqrt(self.noise) * _solve(self.factor, normal, transposed=True)

    def predict(self, features: Reals) -> tuple[Reals, Reals]:
        """Mean and variance, without noise, of each row ``[n, D]``."""
        whitened = _solve(self.factor, features.T)
        return features @ self.mean, self.noise * np.square(whitened).sum(axis=0)


def regress(features: Reals, values: Reals, noise: float) -> Weights:
    """Bayesian regression with weights of prior variance 1, in O(n D^2 + D^3).

    Args:
        features: float64 ``[n, D]``; no rows give the prior.
        values: float64 ``[n]``.
        noise: its variance, above 0.
    """
    precision = features.T @ features + noise * np.eye(features.shape[1])
    factor = np.asarray(cholesky(precision, lower=True))
    mean = _solve(factor, _solve(factor, features.T @ values), transposed=True)
    return Weights(mean, factor, noise)


def _solve(factor: Reals, right: Reals, *, transposed: bool = False) -> Reals:
    return np.asarray(solve_triangular(factor, right, trans=transposed, lower=True))


@dataclass(frozen=True, slots=True)
class AdditiveFeatures:
    """Features of a sum of kernels, each of a group of inputs of its own.

    ``groups`` are positions of inputs, which no two of them share; ``maps`` one for each group.
    """

    groups: tuple[tuple[int, ...], ...]
    maps: tuple[FourierFeatures, ...]

    def __call__(self, points: Reals) -> Reals:
        """Features of points ``[n, inputs]``, the groups' side by side: ``[n, D]``."""
        parts = [
            made(points[:, list(group)]) for group, made in zip(self.groups, self.maps, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def split(self, weights: Reals) -> list[Reals]:
        """The weights of each group, of ``[D]``."""
        return np.split(weights, np.cumsum([made.width for made in self.maps])[:-1])

    def best(self, weights: Reals, levels: Sequence[Reals]) -> list[int]:
        """Where the function with these weights is highest on a grid, exactly.

        Each group is maximised alone: the work is the sum of the groups' grids and not their
        product. Of equal points the first is taken.

        Args:
            levels: the values that each input may have, ``[inputs]`` arrays.

        Returns:
            A position among its levels for each input.
        """
        found = [0] * len(levels)
        for group, made, own in zip(self.groups, self.maps, self.split(weights), strict=True):
            sizes = tuple(len(levels[i]) for i in group)
            places = np.indices(sizes).reshape(len(group), -1)
            points = np.stack([levels[i][at] for i, at in zip(group, places, strict=True)], axis=1)
            top = int((made(points) @ own).argmax())
            for i, at in zip(group, places[:, top].tolist(), strict=True):
                found[i] = at
        return found
