"""What trials cost: of the processor where it was told, by the clock otherwise, once."""

from __future__ import annotations

from autodl.search.spent import Spent, core_seconds
from autodl.trial import Evaluation, Trial, TrialState


def test_seconds_of_the_processor_count_before_those_of_the_clock():
    assert core_seconds(9.0, {"compute_seconds": 4.0}, reused=False) == 4.0
    assert core_seconds(9.0, {"compute_seconds": None}, reused=False) == 9.0
    assert core_seconds(9.0, {}, reused=False) == 9.0
    assert core_seconds(9.0, {"compute_seconds": 4.0}, reused=True) == 0.0


def test_all_trials_count_but_those_that_took_over_a_result():
    told = Evaluation(0.5, {"compute_seconds": 4.0})
    trials = [
        Trial(0, None, TrialState.COMPLETE, told, seconds=9.0),
        Trial(1, None, TrialState.COMPLETE, told, reason="result of trial 0"),
        Trial(2, None, TrialState.PAUSED, Evaluation(0.1, {"compute_seconds": 2.0})),
        Trial(3, None, TrialState.FAILED, reason="it is not finite", seconds=1.0),
        Trial(4, None, TrialState.PROPOSED),
    ]
    assert Spent(trials).seconds == 4.0 + 2.0 + 1.0
    assert Spent().seconds == 0.0


def test_a_later_stage_takes_the_place_of_an_earlier_one():
    spent = Spent([Trial(2, None, TrialState.PAUSED, Evaluation(0.1, {"compute_seconds": 2.0}))])
    spent.take(Trial(2, None, TrialState.COMPLETE, Evaluation(0.3, {"compute_seconds": 6.0})))
    spent.take(Trial(3, None, TrialState.FAILED, reason="it is not finite", seconds=1.0))
    assert spent.seconds == 6.0 + 1.0
