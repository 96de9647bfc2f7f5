"""Best-so-far curves and the paired test against SciPy and hand counts."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from autodl.studies.strategies.statistics import best_so_far, compare_paired


def test_best_so_far_by_hand():
    rewards = np.array([[np.nan, 0.2, 0.1, np.nan, 0.4], [0.3, 0.2, 0.3, 0.5, 0.1]])
    expected = [[np.nan, 0.2, 0.2, 0.2, 0.4], [0.3, 0.3, 0.3, 0.5, 0.5]]
    np.testing.assert_array_equal(best_so_far(rewards), expected)


def test_paired_difference():
    rng = np.random.default_rng(0)
    second = rng.normal(size=40)
    first = second + rng.normal(0.3, 0.5, size=40)
    difference = compare_paired(first, second)
    assert difference.mean == pytest.approx((first - second).mean())
    assert difference.p == wilcoxon(first, second).pvalue
    assert difference.wins + difference.losses == 40
    # 1.96 standard errors; the bootstrap of 40 values agrees with it to some 10 %
    reach = 1.96 * (first - second).std() / np.sqrt(40)
    assert difference.high - difference.mean == pytest.approx(reach, rel=0.15)
    assert difference.mean - difference.low == pytest.approx(reach, rel=0.15)


def test_equal_results_are_no_difference():
    difference = compare_paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (difference.mean, difference.p, difference.ties) == (0.0, 1.0, 3)


def test_one_seed_has_no_p_value():
    assert np.isnan(compare_paired([0.5], [0.4]).p)


def test_unpaired_results_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        compare_paired([0.1, 0.2], [0.1])


def test_seeds_without_a_success_are_left_out():
    nan = np.nan
    difference = compare_paired([0.5, nan, 0.7, 0.2], [0.4, 0.3, 0.5, nan])
    expected = compare_paired([0.5, 0.7], [0.4, 0.5])
    assert (difference.left_out, expected.left_out) == (2, 0)
    assert (difference.mean, difference.p) == (expected.mean, expected.p)
    assert (difference.low, difference.high, difference.wins) == (expected.low, expected.high, 2)
    none = compare_paired([nan], [0.1])
    assert np.isnan([none.mean, none.low, none.high, none.p]).all()
    assert (none.wins, none.ties, none.losses, none.left_out) == (0, 0, 0, 1)
