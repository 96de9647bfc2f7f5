"""Bags of boosted trees as surrogates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from autodl.strategies.surrogate.trees.boosting import boosting

RNG = np.random.default_rng(0)
INPUTS = RNG.integers(2, size=(400, 12)).astype(np.float64)
REWARDS = INPUTS[:, :4] @ [4.0, 2.0, 1.0, 1.0] + 2 * INPUTS[:, 4] * INPUTS[:, 5]


def test_it_orders_what_it_has_not_seen():
    """Ranks that were guessed would correlate by 0 with a standard error of 0.06."""
    members = boosting(INPUTS[:100], REWARDS[:100])(INPUTS[100:])
    assert spearmanr(members.mean(axis=0), REWARDS[100:]).statistic > 0.9


def test_it_doubts_what_it_has_not_seen():
    """Deviations over members at rows that were learned from, and at others."""
    predict = boosting(INPUTS[:40], REWARDS[:40])
    known, others = predict(INPUTS[:40]).std(axis=0), predict(INPUTS[40:]).std(axis=0)
    assert others.mean() > 1.2 * known.mean()


def test_the_same_rows_make_the_same():
    first, second = (boosting(INPUTS[:30], REWARDS[:30])(INPUTS[:50]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_equal_rewards_are_what_all_members_say(count):
    members = boosting(INPUTS[:count], np.full(count, 0.25))(INPUTS[:9])
    np.testing.assert_allclose(members, 0.25, atol=1e-12)
