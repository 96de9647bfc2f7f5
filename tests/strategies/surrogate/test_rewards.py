"""Rewards on the scale of a standard normal variable."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from autodl.strategies.surrogate.rewards import normal_scores, standardised


def test_scores_are_quantiles_of_ranks():
    found = normal_scores(np.array([5.0, -100.0, 7.0]))
    np.testing.assert_allclose(found, norm.ppf([0.5, 1 / 6, 5 / 6]), atol=1e-12)


def test_ties_share_their_mean_rank_and_order_is_all_that_counts():
    values = np.array([1.0, 3.0, 3.0, 9.0])
    found = normal_scores(values)
    assert found[1] == found[2] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(normal_scores(np.exp(values)), found)


@pytest.mark.parametrize("scaled", [normal_scores, standardised])
@pytest.mark.parametrize("values", [[], [3.0], [0.7, 0.7, 0.7], [0.0, 0.0]])
def test_equal_ones_are_zeros(scaled, values):
    assert scaled(np.array(values)).tolist() == [0.0] * len(values)


def test_standardised_has_mean_0_and_deviation_1():
    found = standardised(np.array([1.0, 2.0, 6.0]))
    assert (found.mean(), found.std()) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
