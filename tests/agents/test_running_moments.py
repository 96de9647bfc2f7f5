"""Moments against their definition, and the published stream."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.agents.running_moments import RunningMoments


def stream(rewards, decay=0.9):
    """Normalised rewards, one at a time."""
    moments, found = None, []
    for reward in rewards:
        one = np.array([reward])
        moments = RunningMoments.of(one) if moments is None else moments
        found.append(float(moments.normalised(one)[0]))
        moments = moments.moved(one, decay)
    return found


@pytest.mark.parametrize("scale, shift", [(1, 0), (10, 3)])
def test_a_stream_by_hand_in_any_unit(scale, shift):
    """b = 0.2, 0.22, 0.228 ...; s^2 = 0.9 (s^2 + 0.1 (r - b)^2), so 0, 0.0036, 0.003816 ..."""
    rewards = [scale * r + shift for r in (0.2, 0.4, 0.3, 0.5, 0.45, 0.6)]
    expected = [0, 0, 1.333, 4.403, 1.939, 2.910]  # three decimals are given
    np.testing.assert_allclose(stream(rewards), expected, atol=5e-4)


def test_moments_are_those_of_the_weighted_sample():
    """After batches of any size each reward weighs (1 - d) d^age / B; the first batch d^age / B."""
    rng, decay = np.random.default_rng(0), 0.7
    batches = [rng.normal(size=size) for size in (3, 1, 4, 2)]
    moments = RunningMoments.of(batches[0])
    for batch in batches[1:]:
        moments = moments.moved(batch, decay)
    age = len(batches) - 1 - np.arange(len(batches))
    share = decay**age * np.where(np.arange(len(batches)) == 0, 1, 1 - decay)
    every = np.concatenate(batches)
    sizes = np.array([len(batch) for batch in batches])
    weight = np.repeat(share / sizes, sizes)
    mean = (weight * every).sum()
    assert moments.mean == pytest.approx(mean, rel=1e-12)
    assert moments.variance == pytest.approx((weight * (every - mean) ** 2).sum(), rel=1e-12)


def test_equal_rewards_teach_nothing():
    assert stream([0.1] * 50) == [0.0] * 50
