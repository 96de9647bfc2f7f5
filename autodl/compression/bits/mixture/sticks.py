"""Mixture weights by stick-breaking: the Dirichlet process, truncated.

``pi_t = v_t prod_{s<t} (1 - v_s)`` with ``v_t ~ Beta(1, alpha)`` for all ``T`` sticks. What is left
behind the last one belongs to components beyond the truncation, which hold no weights. With the
last stick fixed to ``v_T = 1`` instead, the order of size would not always have the highest bound.

Source: Blei and Jordan, "Variational inference for Dirichlet process mixtures", 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma

Array = NDArray[np.float64]


def stick_weights(fractions: Array) -> Array:
    """``[..., T]`` fractions broken off, each in 0..1, to ``[..., T + 1]`` weights of sum 1.

    The last weight is what is left.
    """
    left = np.cumprod(1.0 - fractions, axis=-1)
    whole = np.ones_like(fractions, shape=(*fractions.shape[:-1], 1))
    before = np.concatenate([whole, left], axis=-1)
    weights: Array = np.concatenate([fractions, whole], axis=-1) * before
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class Sticks:
    """``q(v_t) = Beta(first_t, second_t)`` of ``T`` sticks."""

    first: Array
    second: Array

    @classmethod
    def posterior(cls, counts: Array, alpha: float) -> Sticks:
        """The best sticks, given how many weights each component has, float64 ``[T]``.

        Counts of 0 give the prior.
        """
        behind = np.append(np.cumsum(counts[:0:-1])[::-1], 0.0)
        return cls(1.0 + counts, alpha + behind)

    def log_weights(self) -> Array:
        """``E[log pi_t]``, float64 ``[T]``."""
        both = digamma(self.first + self.second)
        left = np.cumsum(digamma(self.second) - both)
        logs: Array = digamma(self.first) - both + np.concatenate([[0.0], left[:-1]])
        return logs

    def weights(self) -> Array:
        """``E[pi_t]``, float64 ``[T]``, scaled to the sum 1."""
        expected = stick_weights(self.first / (self.first + self.second))[:-1]
        scaled: Array = expected / expected.sum()
        return scaled

    def divergence(self, alpha: float) -> float:
        """KL divergence from the prior, in nats; at least 0."""
        both = digamma(self.first + self.second)
        taken, left = digamma(self.first) - both, digamma(self.second) - both
        terms = (
            (self.first - 1.0) * taken
            + (self.second - alpha) * left
            - betaln(self.first, self.second)
            + betaln(1.0, alpha)
        )
        return float(terms.sum())
