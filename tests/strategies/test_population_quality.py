"""The quality of a population by hand, and when it counts as risen no more."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.strategies.population_quality import Saturation, population_quality

ACCURACIES = (0.88, 0.78, 0.72, 0.92)


def test_a_worked_example():
    """Mean .825, standard deviation .0792149; the reference has seven digits."""
    assert population_quality(ACCURACIES, target_std=0.05) == pytest.approx(0.7988502, abs=5e-8)


def test_at_the_target_it_is_the_mean():
    std = float(np.std(ACCURACIES))
    assert population_quality(ACCURACIES, target_std=std) == pytest.approx(0.825, rel=1e-15)


def test_it_rises_with_the_mean_and_falls_with_the_spread():
    def quality(mean, spread):
        return population_quality([mean - spread, mean, mean, mean + spread])

    means = [quality(mean, 0.02) for mean in (0.5, 0.6, 0.7, 0.8)]
    spreads = [quality(0.6, spread) for spread in (0.001, 0.01, 0.02, 0.1)]  # across the target
    assert means == sorted(means)
    assert spreads == sorted(spreads, reverse=True)


def test_each_side_of_the_target_has_its_exponent():
    narrow, wide = [0.5, 0.502], [0.4, 0.6]  # deviations of 0.001 and 0.1
    assert population_quality(narrow, exponents=(0.0, -1.0)) == pytest.approx(0.501, rel=1e-15)
    # rounding of 0.1 / 0.01 and of the deviation
    assert population_quality(wide, exponents=(0.0, -1.0)) == pytest.approx(0.05, rel=1e-14)


def test_negatives_of_errors_are_better_for_a_smaller_spread_too():
    # twice the target of 0.01: the mean of -0.5 divided by 2 ** -0.07; half of it: by 0.5 ** -0.07
    wide, narrow = population_quality([-0.48, -0.52]), population_quality([-0.495, -0.505])
    assert wide == pytest.approx(-0.5 * 2**0.07, rel=1e-12)  # rounding of the deviation
    assert narrow == pytest.approx(-0.5 * 2**-0.07, rel=1e-12)
    assert narrow > wide


def test_members_that_are_all_alike_have_a_finite_quality():
    expected = 0.7 * (1e-8 / 0.01) ** -0.07
    assert population_quality([0.7] * 5) == pytest.approx(expected, rel=1e-14)
    assert population_quality([0.7]) == pytest.approx(expected, rel=1e-14)
    with pytest.raises(ValueError, match="without members"):
        population_quality([])


def noted(qualities, patience, least_gain=0.01):
    """After how many cycles it is reached, None if never."""
    saturation = Saturation(patience, least_gain)
    for cycle, quality in enumerate(qualities, start=1):
        saturation.note(quality)
        if saturation.reached:
            return cycle
    return None


@pytest.mark.parametrize(
    "qualities, cycle",
    [
        ([1.0, 1.0, 1.0, 1.0, 1.0], 4),  # the first to compare with, then three without a rise
        ([1.0, 1.009, 1.009, 1.0099], 4),  # less than a hundredth over three cycles
        ([1.0, 1.005, 1.01, 1.015, 1.02], None),  # small steps that add up
        ([1.0, 0.1, 0.1, 1.02, 0.1, 0.1, 0.1], 7),  # the best of them counts
        ([-1.0, -1.0, -1.0, -0.98], None),
        ([0.0, 0.0, 0.0, 0.0], None),  # nothing is less than a share of nothing
        ([1.0, 1.0, 1.0], None),
    ],
)
def test_when_it_is_reached(qualities, cycle):
    assert noted(qualities, 3) == cycle


def test_without_patience_it_never_is():
    assert noted([1.0] * 1000, None) is None


def test_what_comes_after_changes_nothing():
    saturation = Saturation(2, 0.01)
    for quality in (1.0, 1.0, 1.0, 9.0):
        saturation.note(quality)
    assert saturation.reached


def test_its_state_goes_there_and_back():
    saturation, other = Saturation(2, 0.01), Saturation(2, 0.01)
    for quality in (0.5, 1.0, 0.9):
        saturation.note(quality)
    other.note(7.0)
    other.restore(saturation.state())
    assert other.state() == saturation.state() == [0.5, 1.0, 1.0]
    other.note(1.0)
    assert other.reached
    assert not saturation.reached
