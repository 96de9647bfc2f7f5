"""Mean and deviation of a stream of rewards, moving: what an advantage is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_DEVIATION = 1e-8


@dataclass(frozen=True, slots=True)
class RunningMoments:
    """Exponentially weighted mean and variance of rewards; the first batch is its own."""

    mean: float
    variance: float

    @classmethod
    def of(cls, rewards: NDArray[np.float64]) -> RunningMoments:
        """Those of a batch ``[B]`` alone, B at least 1."""
        return cls(float(rewards.mean()), float(rewards.var()))

    def normalised(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(reward - mean) / deviation``, ``[B]``; 0 before the deviation is above 1e-8.

        Rewards that are all equal therefore teach nothing, and ``r -> a r + b`` changes nothing
        for a above 0, up to rounding.
        """
        deviation = self.variance**0.5
        if deviation < LEAST_DEVIATION:
            return np.zeros_like(rewards)
        normalised: NDArray[np.float64] = (rewards - self.mean) / deviation
        return normalised

    def moved(self, rewards: NDArray[np.float64], decay: float) -> RunningMoments:
        """After a batch ``[B]``: ``decay`` parts of what was and ``1 - decay`` of the batch.

        Mean and variance are those of the mixture of both, so that the distance of their means
        counts as spread.
        """
        new = RunningMoments.of(rewards)
        apart = new.mean - self.mean
        within = decay * self.variance + (1.0 - decay) * new.variance
        return RunningMoments(
            decay * self.mean + (1.0 - decay) * new.mean,
            within + decay * (1.0 - decay) * apart * apart,
        )
