"""Kernels: how alike two rows of decisions are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.encodings import OneHot
from autodl.strategies.surrogate.surrogate import Reals
from autodl.system.roles import Role

Pullback = Callable[[Reals], Reals]


@runtime_checkable
class Kernel(Role, Protocol):
    """A covariance of rows with settings to learn, all of them logarithms."""

    @property
    def start(self) -> Reals:
        """Settings to begin with and the means of their normal priors, float64 ``[P]``."""
        ...

    @property
    def spread(self) -> Reals:
        """Standard deviations of the priors, float64 ``[P]``."""
        ...

    def matrix(self, settings: Reals, left: Integers, right: Integers) -> Reals:
        """Covariances, float64 ``[len(left), len(right)]``."""
        ...

    def diagonal(self, settings: Reals, rows: Integers) -> Reals:
        """Variances, float64 ``[len(rows)]``."""
        ...

    def pullback(self, rows: Integers) -> Callable[[Reals], tuple[Reals, Pullback]]:
        """Settings -> ``matrix(settings, rows, rows)``, and how it depends on them.

        That is: a gradient with respect to the matrix, symmetric ``[n, n]`` -> the gradient with
        respect to the settings, ``[P]``.
        """
        ...


class DecisionKernel:
    """A sum over decisions that agree, plus a product over those that differ; each has a weight.

    ``k(a, b) = A sum_i w_i [a_i = b_i] / sum_i w_i + B exp(-sum_i w_i [a_i != b_i])``: what the
    single decisions are worth, and what only architectures that agree in nearly all of them
    share. The second term is that of the exponentiated Hamming distance, with a weight for each
    decision (automatic relevance determination). Settings: log A, log B, and the log w_i.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._encoding = OneHot(sizes)
        self._decisions = len(sizes)
        weights = np.full(len(sizes), np.log(3 / len(sizes)))
        self.start: Reals = np.concatenate([[-1.0, 0.0], weights])
        self.spread: Reals = np.concatenate([[1.5, 1.0], np.ones(len(sizes))])

    def matrix(self, settings: Reals, left: Integers, right: Integers) -> Reals:
        """Covariances, float64 ``[len(left), len(right)]``."""
        weights = np.exp(settings[2:])
        scaled = np.repeat(weights, self._encoding.sizes) * self._decisions
        agree = (self._encoding.features(left) * scaled) @ self._encoding.features(right).T
        total = weights.sum()
        return np.asarray(np.exp(settings[0]) / total * agree + np.exp(settings[1] - total + agree))

    def diagonal(self, settings: Reals, rows: Integers) -> Reals:
        """``A + B`` for every row."""
        return np.full(len(rows), np.exp(settings[0]) + np.exp(settings[1]))

    def pullback(self, rows: Integers) -> Callable[[Reals], tuple[Reals, Pullback]]:
        """Settings -> matrix of the rows and its pullback."""
        differ = (rows.T[:, :, None] != rows.T[:, None, :]).reshape(self._decisions, -1)
        differ = differ.astype(np.float64)
        shape = (len(rows), len(rows))

        def value(settings: Reals) -> tuple[Reals, Pullback]:
            weights = np.exp(settings[2:])
            share = weights / weights.sum()
            distance = (weights @ differ).reshape(shape)
            agreeing = np.exp(settings[0]) * (1 - distance / weights.sum())
            product = np.exp(settings[1] - distance)

            def back(gradient: Reals) -> Reals:
                by_sum = np.exp(settings[0]) * (differ @ gradient.reshape(-1))
                by_product = differ @ (gradient * product).reshape(-1)
                own = -weights * by_product - share * (by_sum - share @ by_sum)
                amplitudes = [(gradient * agreeing).sum(), (gradient * product).sum()]
                return np.concatenate([amplitudes, own])

            return agreeing + product, back

        return value


class FeatureKernel:
    """A squared exponential of the distance between features, plus their inner product.

    ``k(a, b) = A exp(-l |a - b|^2) + B a . b``. Settings: log A, log l, log B.

    Args:
        features: of rows, float64 ``[N, F]``, with squares that sum to about 1.
    """

    start: Reals = np.array([-0.5, 0.0, -1.0])
    spread: Reals = np.array([1.0, 1.0, 1.5])

    def __init__(self, features: Callable[[Integers], Reals]) -> None:
        self._features = features

    def matrix(self, settings: Reals, left: Integers, right: Integers) -> Reals:
        """Covariances, float64 ``[len(left), len(right)]``."""
        near, inner = self._parts(left, right)
        scaled = np.exp(settings[0] - np.exp(settings[1]) * near)
        return np.asarray(scaled + np.exp(settings[2]) * inner)

    def diagonal(self, settings: Reals, rows: Integers) -> Reals:
        """Variances, float64 ``[len(rows)]``."""
        squares = np.square(self._features(rows)).sum(axis=1)
        return np.asarray(np.exp(settings[0]) + np.exp(settings[2]) * squares)

    def pullback(self, rows: Integers) -> Callable[[Reals], tuple[Reals, Pullback]]:
        """Settings -> matrix of the rows and its pullback."""
        near, inner = self._parts(rows, rows)

        def value(settings: Reals) -> tuple[Reals, Pullback]:
            rate = np.exp(settings[1])
            local = np.exp(settings[0] - rate * near)
            linear = np.exp(settings[2]) * inner

            def back(gradient: Reals) -> Reals:
                by_local = gradient * local
                return np.array(
                    [by_local.sum(), -rate * (by_local * near).sum(), (gradient * linear).sum()]
                )

            return local + linear, back

        return value

    def _parts(self, left: Integers, right: Integers) -> tuple[Reals, Reals]:
        """Squared distances and inner products, float64 ``[len(left), len(right)]`` each."""
        first, second = self._features(left), self._features(right)
        inner = first @ second.T
        squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)
        return np.maximum(squares - 2 * inner, 0), np.asarray(inner)


class WithFeatures:
    """A kernel, and a line in each of some features, with a variance of its own.

    ``k(a, b) + sum_j C_j f_j(a) f_j(b)``. Settings: those of the kernel, then the log C_j.

    Args:
        features: of rows, float64 ``[N, F]``.
    """

    def __init__(self, kernel: Kernel, features: Callable[[Integers], Reals], count: int) -> None:
        self._kernel = kernel
        self._features = features
        self._own = len(kernel.start)
        self.start: Reals = np.append(kernel.start, np.full(count, -2.0))
        self.spread: Reals = np.append(kernel.spread, np.full(count, 1.5))

    def matrix(self, settings: Reals, left: Integers, right: Integers) -> Reals:
        """Covariances, float64 ``[len(left), len(right)]``."""
        weighed = self._features(left) * np.exp(settings[self._own :])
        plain = self._kernel.matrix(settings[: self._own], left, right)
        return np.asarray(plain + weighed @ self._features(right).T)

    def diagonal(self, settings: Reals, rows: Integers) -> Reals:
        """Variances, float64 ``[len(rows)]``."""
        squares = np.square(self._features(rows)) @ np.exp(settings[self._own :])
        return np.asarray(self._kernel.diagonal(settings[: self._own], rows) + squares)

    def pullback(self, rows: Integers) -> Callable[[Reals], tuple[Reals, Pullback]]:
        """Settings -> matrix of the rows and its pullback."""
        plain, features = self._kernel.pullback(rows), self._features(rows)

        def value(settings: Reals) -> tuple[Reals, Pullback]:
            matrix, back = plain(settings[: self._own])
            variances = np.exp(settings[self._own :])

            def both(gradient: Reals) -> Reals:
                lines = variances * np.einsum("if,ij,jf->f", features, gradient, features)
                return np.append(back(gradient), lines)

            return matrix + (features * variances) @ features.T, both

        return value
