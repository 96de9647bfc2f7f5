"""The rules against their published descriptions, on reports written by hand."""

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.search.fidelity import AsynchronousSuccessiveHalving, Fate, MedianRule, Verdict


def test_rungs_multiply_and_end_at_all_epochs():
    assert AsynchronousSuccessiveHalving(max_trials=1000, epochs=9).rungs == [1, 3, 9]
    assert AsynchronousSuccessiveHalving(max_trials=1000, epochs=20, least_epochs=2).rungs == [2, 6, 18, 20]
    assert AsynchronousSuccessiveHalving(max_trials=1000, epochs=1).rungs == [1]


def test_a_third_of_a_rung_is_promoted_each_once_and_the_highest_rung_first():
    rule = AsynchronousSuccessiveHalving(max_trials=1000, epochs=9)
    for trial, value in enumerate([0.1, 0.2]):
        assert rule.report(trial, 1, (value,)) == Verdict(Fate.PAUSE)
    assert rule.promote() is None  # a third of two is none
    rule.report(2, 1, (0.05,))
    assert rule.promote() == (1, 3)
    assert rule.promote() is None
    for trial, value in enumerate([0.3, 0.4, 0.15], start=3):
        rule.report(trial, 1, (value,))
    assert rule.promote() == (4, 3)
    for trial in (1, 4):
        rule.report(trial, 3, (0.5 + trial,))
    assert rule.promote() == (3, 3)
    rule.report(3, 3, (0.6,))
    assert rule.promote() == (4, 9)  # best of three at 3 epochs
    assert rule.report(4, 9, (0.9,)) == Verdict(Fate.DONE)


def test_equal_values_promote_the_earlier_trial():
    rule = AsynchronousSuccessiveHalving(max_trials=1000, epochs=3)
    for trial in (2, 0, 1):
        rule.report(trial, 1, (0.5,))
    assert rule.promote() == (0, 3)


def test_promotion_rates_are_those_of_the_paper():
    """Of n trials, n // 3 reach the second rung and n // 9 the third, when all reports are in."""
    rule = AsynchronousSuccessiveHalving(max_trials=1000, epochs=9)
    values = np.random.default_rng(0).permutation(90)
    for trial, value in enumerate(values):
        rule.report(trial, 1, (float(value),))
    reached = {1: 90, 3: 0, 9: 0}
    while (promoted := rule.promote()) is not None:
        trial, epochs = promoted
        reached[epochs] += 1
        rule.report(trial, epochs, (float(values[trial]),))
    assert reached == {1: 90, 3: 30, 9: 10}


def test_replaying_the_reports_rebuilds_the_rule():
    """What was promoted and reported again is not promoted twice; what was not, still is."""
    rule = AsynchronousSuccessiveHalving(max_trials=1000, epochs=9)
    reports = [(trial, 1, (trial / 10,)) for trial in range(9)]
    for report in reports:
        rule.report(*report)
    first, second, third = (rule.promote() for _ in range(3))
    assert [first, second, third] == [(8, 3), (7, 3), (6, 3)]
    reports.append((8, 3, (0.9,)))
    again = AsynchronousSuccessiveHalving(max_trials=1000, epochs=9)
    for report in reports:
        again.report(*report)
    assert [again.promote() for _ in range(3)] == [(7, 3), (6, 3), None]


def test_several_objectives_promote_the_front():
    rule = AsynchronousSuccessiveHalving(max_trials=1000, epochs=3)
    for trial, values in enumerate([(1.0, 0.0), (0.0, 1.0), (0.4, 0.4), (0.3, 0.3), (0.1, 0.1)]):
        rule.report(trial, 1, values)
    rule.report(5, 1, (0.0, 0.0))
    assert {rule.promote(), rule.promote()} == {(0, 3), (1, 3)}
    assert rule.promote() is None


def test_median_rule_by_hand():
    """Others average 0.1 .. 0.5 after 2 epochs; the median is 0.3."""
    rule = MedianRule(max_trials=1000, epochs=4, interval=1, grace=1, least_trials=5)
    for trial in range(1, 6):
        assert rule.report(trial, 1, (trial / 10,)) == Verdict(Fate.CONTINUE, 2)
        assert rule.report(trial, 2, (trial / 10,)) == Verdict(Fate.CONTINUE, 3)
    assert rule.report(8, 1, (0.0,)) == Verdict(Fate.CONTINUE, 2)  # within the grace
    assert rule.report(8, 2, (0.29,)) == Verdict(Fate.STOP)
    rule.report(9, 1, (0.0,))
    assert rule.report(9, 2, (0.31,)) == Verdict(Fate.CONTINUE, 3)
    for epochs in (3, 4):
        last = rule.report(9, epochs, (0.31,))
    assert last == Verdict(Fate.DONE)


def test_median_rule_waits_for_others():
    rule = MedianRule(max_trials=1000, epochs=4, grace=0, least_trials=2)
    assert rule.report(0, 1, (0.9,)).fate is Fate.CONTINUE
    assert rule.report(1, 1, (0.1,)).fate is Fate.CONTINUE
    assert rule.report(2, 1, (0.1,)).fate is Fate.STOP


def test_median_rule_stops_only_what_is_worse_in_every_objective():
    rule = MedianRule(max_trials=1000, epochs=4, grace=0, least_trials=1)
    rule.report(0, 1, (0.5, 0.5))
    assert rule.report(1, 1, (0.4, 0.6)).fate is Fate.CONTINUE
    assert rule.report(2, 1, (0.1, 0.1)).fate is Fate.STOP


@pytest.mark.parametrize(
    "make",
    [
        lambda: AsynchronousSuccessiveHalving(max_trials=1000, epochs=3, least_epochs=4),
        lambda: AsynchronousSuccessiveHalving(max_trials=1000, epochs=3, reduction=1),
        lambda: MedianRule(max_trials=1000, epochs=3, interval=0),
    ],
)
def test_impossible_options_are_refused(make):
    with pytest.raises(ConfigError, match="must be"):
        make()
