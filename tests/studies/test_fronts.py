"""The volume that a search's trials dominate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodl.studies.fronts import dominated

WORST = {"reward": 80.0, "parameters": 10.0, "macs": 100.0}


def test_one_trial_dominates_a_box():
    metrics = [{"parameters": 5.0, "macs": 25.0}]
    assert dominated([90.0], metrics, WORST) == pytest.approx(10 * 0.5 * 0.75)
    assert dominated([90.0], metrics, {"reward": 80.0, "macs": 100.0}) == pytest.approx(7.5)


def test_what_is_worse_than_the_worst_dominates_nothing():
    metrics = [{"parameters": 5.0, "macs": 25.0}, {"parameters": 11.0, "macs": 25.0}]
    assert dominated([79.0, 90.0], metrics, WORST) == 0


def test_trials_without_reward_or_cost_do_not_count():
    metrics = [{"parameters": 5.0, "macs": 25.0}, {"macs": 1.0}, {"parameters": 5.0, "macs": 25.0}]
    assert dominated([90.0, 99.0, math.nan], metrics, WORST) == pytest.approx(3.75)
    assert math.isnan(dominated([99.0], [{"macs": 1.0}], WORST))
    assert math.isnan(dominated([], [], WORST))


def test_it_is_the_share_of_random_points_that_a_trial_dominates():
    rng = np.random.default_rng(0)
    rewards, costs = rng.uniform(80, 90, 12), rng.uniform([0, 0], [10, 100], (12, 2))
    metrics = [{"parameters": p, "macs": m} for p, m in costs]
    points = rng.uniform([80, 0, 0], [90, 10, 100], (40_000, 3))
    below = points[:, None, 0] <= rewards
    share = (below & (points[:, None, 1:] >= costs).all(axis=2)).any(axis=1).mean()
    # five standard errors of a share of 40,000 draws, at most 0.0025 each, times the box of 10
    assert dominated(rewards, metrics, WORST) == pytest.approx(10 * share, abs=0.125)
