"""The rules against their published descriptions, on reports written by hand."""

from copy import deepcopy

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.objectives.dominance import preference
from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.fidelity.median import MedianRule
from autodl.search.fidelity.rule import Fate, Verdict


def test_rungs_multiply_and_end_at_all_epochs():
    assert AsynchronousSuccessiveHalving(max_trials=1000, epochs=9).rungs == [1, 3, 9]
    assert AsynchronousSuccessiveHalving(max_trials=1000, epochs=20, least_epochs=2).rungs == [
        2,
        6,
        18,
        20,
    ]
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


# --- what can never be promoted any more --------------------------------------------------------


class Halving:
    """A search by hand: trials report, are promoted and retired; copies of it go other ways."""

    def __init__(self, max_trials, reduction, epochs):
        self.rule = AsynchronousSuccessiveHalving(
            max_trials=max_trials, epochs=epochs, reduction=reduction
        )
        self.left, self.next_id = max_trials, 0
        self.running = []  # promoted, and the epochs they will report
        self.retired = set()
        self.promoted = []
        self.reports = set()

    def new(self, value):
        self.left, self.next_id = self.left - 1, self.next_id + 1
        self._report(self.next_id - 1, self.rule.first_stage(), value)

    def go_on(self, place, value):
        self._report(*self.running.pop(place), value)

    def _report(self, trial_id, epochs, value):
        self.reports.add((trial_id, epochs, value))
        self.rule.report(trial_id, epochs, value if isinstance(value, tuple) else (value,))
        self.retired.update(self.rule.retired())

    def promote(self):
        found = self.rule.promote()
        if found is not None:
            assert found[0] not in self.retired, "it was given up too early"
            self.running.append(found)
            self.promoted.append(found)
        return found is not None

    def ways(self, values):
        """All that can come next; also that no worker is free for a promotion yet."""
        for value in values if self.left else ():
            yield lambda search, value=value: search.new(value)
        for place in range(len(self.running)):
            for value in values:
                yield lambda search, place=place, value=value: search.go_on(place, value)

    def state(self):
        """What the rest depends on; not the order in which it came about."""
        return tuple(map(frozenset, (self.reports, self.running, self.promoted, self.retired)))

    def paused(self):
        return set(range(self.next_id)) - self.retired - {i for i, _ in self.running}


@pytest.mark.parametrize("max_trials, reduction, epochs", [(4, 2, 4), (5, 2, 2), (6, 3, 3)])
def test_a_retired_trial_is_never_promoted_whatever_comes(max_trials, reduction, epochs):
    """Every order of reports, of two values with ties, and of promotions sooner or later."""
    seen, retired = set(), 0

    def follow(search):
        nonlocal retired
        if search.state() in seen:
            return
        seen.add(search.state())
        retired += bool(search.retired)
        for way in search.ways((0.0, 1.0)):
            for promotions in range(3):
                other = deepcopy(search)
                way(other)
                if all(other.promote() for _ in range(promotions)):
                    follow(other)

    follow(Halving(max_trials, reduction, epochs))
    assert retired > 100


def test_a_retired_trial_is_never_promoted_in_larger_searches():
    """Rewards that rise promote too many, which later fall, and so do the rungs above."""
    retired = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        max_trials, reduction = int(draw.integers(3, 40)), int(draw.integers(2, 5))
        search, trend = Halving(max_trials, reduction, 27), draw.normal(scale=0.2)
        while search.left or search.running:
            choices = [*["new"] * bool(search.left), *["go on"] * bool(search.running)]
            value = float(draw.normal() + trend * search.next_id)
            if draw.choice(choices) == "new":
                search.new(value)
            else:
                search.go_on(int(draw.integers(len(search.running))), value)
            while draw.random() < 0.7 and search.promote():
                pass
            if not search.left and not search.running:
                search.promote()
        retired += len(search.retired)
    assert retired > 500


@pytest.mark.parametrize("seed", range(20))
def test_of_one_rung_all_others_can_still_be_promoted(seed):
    """Retiring is not late either: the worst that is left is promoted if only worse ones come."""
    draw = np.random.default_rng(seed)
    search = Halving(max_trials=30, reduction=3, epochs=3)
    for _ in range(int(draw.integers(12, 30))):
        search.new(float(draw.normal()))
    waiting = search.paused()
    assert len(waiting) == 10
    while search.left:
        search.new(-100.0)
    while search.promote():
        pass
    assert {trial_id for trial_id, _ in search.promoted} == waiting


def test_each_trial_is_retired_once_and_most_of_them_early():
    rule = AsynchronousSuccessiveHalving(max_trials=300, epochs=9)
    values, found = np.random.default_rng(0).random(300), []
    for trial, value in enumerate(values):
        rule.report(trial, 1, (float(value),))
        found += rule.retired()
    assert len(found) == len(set(found)) == 200
    assert set(found) == set(np.argsort(-values, kind="stable")[100:].tolist())
    assert rule.retired() == []


@pytest.mark.parametrize("max_trials, reduction, epochs", [(4, 2, 4), (4, 2, 2)])
def test_of_several_objectives_a_retired_trial_is_never_promoted_either(
    max_trials, reduction, epochs
):
    """Every order of reports, of equal, dominated and incomparable values, and of promotions."""
    seen, retired = set(), 0
    corners = ((0.0, 0.0), (1.0, 1.0), (0.0, 2.0))

    def follow(search):
        nonlocal retired
        if search.state() in seen:
            return
        seen.add(search.state())
        retired += bool(search.retired)
        for way in search.ways(corners[: 2 if epochs > 2 else 3]):
            for promotions in range(2):
                other = deepcopy(search)
                way(other)
                if all(other.promote() for _ in range(promotions)):
                    follow(other)

    follow(Halving(max_trials, reduction, epochs))
    assert retired > 10


def test_of_several_objectives_those_that_enough_others_dominate_are_retired():
    for seed in range(20):
        draw = np.random.default_rng(seed)
        values = draw.integers(0, 6, size=(30, 2)).astype(float)
        search = Halving(30, 3, 3)
        for count, row in enumerate(values, start=1):
            search.new(tuple(row.tolist()))
            seen = values[:count]
            above = [(((seen >= one).all(1)) & ((seen > one).any(1))).sum() for one in seen]
            assert search.retired == {i for i in range(count) if above[i] >= 10}
        while search.promote():  # asserts that it is none of them
            pass
        order = preference(values)[:10].tolist()
        assert {trial_id for trial_id, _ in search.promoted} == set(order)


def test_the_median_rule_forgets_a_trial_that_failed():
    rule = MedianRule(max_trials=20, epochs=3)
    rule.report(0, 1, (0.5,))
    rule.forget(0)
    rule.forget(7)
    assert rule._history == {}
    assert rule._means[1] == [[0.5]]


def test_the_median_rule_pauses_nobody_and_retires_nobody():
    rule = MedianRule(max_trials=20, epochs=3)
    rule.report(0, 1, (0.5,))
    assert (rule.promote(), rule.retired()) == (None, [])
