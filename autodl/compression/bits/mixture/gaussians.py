"""The components of a mixture: Gaussians with learnt parameters, or on an evenly spaced grid.

Both kinds say what the responsibilities need (``scores``), and take moments to become better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

Array = NDArray[np.float64]
LOG_TWO_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What components know of the weights: count, mean and population variance, ``[T]`` each.

    The mean and variance of an empty component mean nothing.
    """

    counts: Array
    means: Array
    variances: Array

    def reordered(self, order: NDArray[np.intp]) -> Moments:
        """Component ``order[t]`` at place ``t``."""
        return Moments(self.counts[order], self.means[order], self.variances[order])

    def merged(self, into: int, other: int) -> Moments:
        """The weights of ``other`` given to ``into``; ``other`` is empty then."""
        counts, means, variances = self.counts.copy(), self.means.copy(), self.variances.copy()
        pair = [into, other]
        total = counts[pair].sum()
        mean = counts[pair] @ means[pair] / total
        spread = counts[pair] @ (variances[pair] + (means[pair] - mean) ** 2) / total
        counts[pair], means[into], variances[into] = (total, 0.0), mean, spread
        return Moments(counts, means, variances)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """``E[log N(w | mu_t, 1 / lambda_t)] = offsets_t - 0.5 precisions_t (w - means_t)^2``."""

    means: Array
    precisions: Array
    offsets: Array


class Gaussians(Protocol):
    """One kind of components."""

    def scores(self) -> Scores:
        """What the expected log-density of a weight is under each."""
        ...

    def reordered(self, order: NDArray[np.intp]) -> Self:
        """Component ``order[t]`` at place ``t``."""
        ...

    def updated(self, moments: Moments) -> Self:
        """The best parameters for these moments: the bound does not fall."""
        ...

    def divergence(self) -> float:
        """KL divergence of the parameters from their prior, in nats; at least 0."""
        ...


@dataclass(frozen=True, slots=True)
class NormalGammaPrior:
    """``lambda ~ Gamma(shape, rate)``, ``mu ~ N(mean, 1 / (strength lambda))``."""

    mean: float
    strength: float
    shape: float
    rate: float

    def scaled(self, shift: float, scale: float) -> NormalGammaPrior:
        """The prior for ``(w - shift) / scale`` in place of ``w``."""
        return replace(self, mean=(self.mean - shift) / scale, rate=self.rate / scale**2)


@dataclass(frozen=True, slots=True, eq=False)
class NormalGamma:
    """Posterior Normal-Gamma of every component, float64 ``[T]`` each (variant G).

    Source: Bishop, "Pattern recognition and machine learning", 10.2, in one dimension.
    """

    prior: NormalGammaPrior
    means: Array
    strengths: Array
    shapes: Array
    rates: Array

    @classmethod
    def posterior(cls, prior: NormalGammaPrior, moments: Moments) -> NormalGamma:
        """Conjugate posterior; an empty component has the prior."""
        counts = moments.counts
        strengths = prior.strength + counts
        away = np.where(counts > 0, moments.means - prior.mean, 0.0)
        scatter = np.where(counts > 0, counts * moments.variances, 0.0)
        return cls(
            prior,
            prior.mean + counts * away / strengths,
            strengths,
            prior.shape + 0.5 * counts,
            prior.rate + 0.5 * (scatter + prior.strength * counts * away**2 / strengths),
        )

    def scores(self) -> Scores:
        """See ``Gaussians``."""
        offsets = 0.5 * (
            digamma(self.shapes) - np.log(self.rates) - LOG_TWO_PI - 1.0 / self.strengths
        )
        return Scores(self.means, self.shapes / self.rates, offsets)

    def reordered(self, order: NDArray[np.intp]) -> NormalGamma:
        """See ``Gaussians``."""
        return NormalGamma(
            self.prior,
            self.means[order],
            self.strengths[order],
            self.shapes[order],
            self.rates[order],
        )

    def updated(self, moments: Moments) -> NormalGamma:
        """See ``Gaussians``."""
        return NormalGamma.posterior(self.prior, moments)

    def divergence(self) -> float:
        """See ``Gaussians``."""
        prior, a, b = self.prior, self.shapes, self.rates
        of_precisions = (
            (a - prior.shape) * digamma(a)
            - gammaln(a)
            + gammaln(prior.shape)
            + prior.shape * (np.log(b) - np.log(prior.rate))
            + a * (prior.rate - b) / b
        )
        ratio = prior.strength / self.strengths
        away = prior.strength * (a / b) * (self.means - prior.mean) ** 2
        of_means = 0.5 * (ratio - 1.0 - np.log(ratio) + away)
        return float((of_precisions + of_means).sum())


@dataclass(frozen=True, slots=True, eq=False)
class GaussianGrid:
    """Means ``offset + step * places_t`` and one precision that is given, not learnt (variant U).

    ``places`` says which point of the grid a component has, float64 ``[T]``.
    """

    offset: float
    step: float
    places: Array
    precision: float

    @classmethod
    def between(cls, low: float, high: float, points: int, precision: float) -> GaussianGrid:
        """``points`` of them from ``low`` to ``high``."""
        step = (high - low) / max(points - 1, 1)
        return cls(low, step, np.arange(points, dtype=np.float64), precision)

    def scores(self) -> Scores:
        """See ``Gaussians``."""
        means = self.offset + self.step * self.places
        offset = 0.5 * (np.log(self.precision) - LOG_TWO_PI)
        return Scores(
            means, np.full_like(means, self.precision), np.full_like(means, float(offset))
        )

    def reordered(self, order: NDArray[np.intp]) -> GaussianGrid:
        """See ``Gaussians``."""
        return replace(self, places=self.places[order])

    def updated(self, moments: Moments) -> GaussianGrid:
        """Offset and step by weighted least squares; all weights at one place move the offset."""
        counts = moments.counts
        total = counts.sum()
        held = counts > 0
        means = np.where(held, moments.means, 0.0)
        place, mean = counts @ self.places / total, counts @ means / total
        spread = counts @ (self.places - place) ** 2
        step = self.step
        if spread > 1e-9 * total:
            fitted = float(counts @ ((self.places - place) * (means - mean)) / spread)
            step = fitted if fitted > 0 else step
        return replace(self, offset=float(mean - step * place), step=step)

    def divergence(self) -> float:
        """Nothing is random: 0."""
        return 0.0
