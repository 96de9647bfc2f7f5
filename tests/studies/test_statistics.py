"""Spreads, best-so-far curves and paired tests against NumPy, SciPy and hand counts."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel, wilcoxon

from autodl.studies.statistics import (
    Spread,
    best_so_far,
    compare_paired,
    mean_interval,
    rank_correlation,
    trials_to_reach,
)

NAN = float("nan")


def test_best_so_far_by_hand():
    rewards = np.array([[NAN, 0.2, 0.1, NAN, 0.4], [0.3, 0.2, 0.3, 0.5, 0.1]])
    expected = [[NAN, 0.2, 0.2, 0.2, 0.4], [0.3, 0.3, 0.3, 0.5, 0.5]]
    np.testing.assert_array_equal(best_so_far(rewards), expected)
    found = trials_to_reach(best_so_far(rewards), np.array([0.2, 0.6]))
    np.testing.assert_array_equal(found, [2, NAN])


def test_spread_of_a_sample():
    assert Spread.of([1.0, NAN, 3.0, 8.0]) == Spread(3, 4.0, pytest.approx(np.sqrt(13)), 3.0)
    one = Spread.of([2.0])
    assert (one.n, one.mean, one.median, math.isnan(one.sd)) == (1, 2.0, 2.0, True)
    none = Spread.of([NAN])
    assert none.n == 0
    assert np.isnan([none.mean, none.sd, none.median]).all()


def test_paired_difference():
    rng = np.random.default_rng(0)
    second = rng.normal(size=40)
    first = second + rng.normal(0.3, 0.5, size=40)
    difference = compare_paired(first, second)
    assert difference.mean == pytest.approx((first - second).mean())
    student = ttest_rel(first, second)
    interval = student.confidence_interval(0.95)
    # float64: the same sums in another order
    assert difference.p == pytest.approx(student.pvalue, rel=1e-9)
    assert (difference.low, difference.high) == pytest.approx(tuple(interval), rel=1e-9)
    assert difference.wilcoxon == wilcoxon(first, second).pvalue
    assert difference.wins + difference.losses == 40
    # 1.96 standard errors; the bootstrap of 40 values agrees with it to some 10 %
    reach = 1.96 * (first - second).std() / np.sqrt(40)
    assert difference.bootstrap_high - difference.mean == pytest.approx(reach, rel=0.15)
    assert difference.mean - difference.bootstrap_low == pytest.approx(reach, rel=0.15)


def test_three_seeds_by_hand():
    """Differences 1, 2, 3: mean 2, deviation 1, t of 95 % with 2 degrees of freedom 4.3027."""
    difference = compare_paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    reach = 4.302653 / math.sqrt(3)
    # the table's value has seven digits
    assert (difference.low, difference.high) == pytest.approx((2 - reach, 2 + reach), abs=1e-5)
    assert mean_interval([1.0, NAN, 2.0, 3.0]) == (difference.low, difference.high)
    assert difference.wilcoxon == 0.25  # which three seeds cannot go below


def test_equal_results_are_no_difference():
    difference = compare_paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (difference.mean, difference.p, difference.ties) == (0.0, 1.0, 3)
    assert (difference.low, difference.high, difference.wilcoxon) == (0.0, 0.0, 1.0)


def test_one_difference_for_all_seeds_has_no_spread_to_be_held_against():
    difference = compare_paired([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])
    assert (difference.mean, difference.low, difference.high) == (2.0, 2.0, 2.0)
    assert np.isnan(difference.p)
    assert difference.wins == 3


def test_one_seed_has_neither_interval_nor_p():
    difference = compare_paired([0.5], [0.4])
    assert np.isnan([difference.low, difference.high, difference.p, difference.wilcoxon]).all()
    assert difference.mean == pytest.approx(0.1)


def test_unpaired_results_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        compare_paired([0.1, 0.2], [0.1])


def test_seeds_without_a_success_are_left_out():
    difference = compare_paired([0.5, NAN, 0.7, 0.2], [0.4, 0.3, 0.5, NAN])
    expected = compare_paired([0.5, 0.7], [0.4, 0.5])
    assert (difference.left_out, expected.left_out) == (2, 0)
    assert (difference.mean, difference.p) == (expected.mean, expected.p)
    assert (difference.low, difference.high, difference.wins) == (expected.low, expected.high, 2)
    none = compare_paired([NAN], [0.1])
    assert np.isnan([none.mean, none.low, none.high, none.p]).all()
    assert (none.wins, none.ties, none.losses, none.left_out) == (0, 0, 0, 1)


def test_rank_correlation():
    """Spearman's rho by hand: 1 - 6 sum d^2 / (n (n^2 - 1)); ties take mean ranks."""
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(1 - 6 * 4 / 60)
    # ranks 1.5 1.5 3 against 1 2 3
    expected = np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1]
    assert rank_correlation([5, 5, 9], [1, 2, 3]) == pytest.approx(expected)
    assert math.isnan(rank_correlation([1, 1], [1, 2]))
    with pytest.raises(ValueError, match="equally long"):
        rank_correlation([1], [1])
