"""The front that is kept trial by trial is the one of all trials together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodl.objectives import dominance as pareto
from autodl.objectives.trade_off import Goals, TradeOff
from autodl.spaces.cell.architecture import CellPair
from autodl.trial import Evaluation, Trial, TrialState

PAIR = CellPair.from_tokens([0, 1], [])
# few values, so that there are ties
ROWS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=30)


def trial(trial_id, accuracy, macs, state=TrialState.COMPLETE, reason=""):
    evaluation = Evaluation(accuracy / 2, {"accuracy": accuracy, "macs": macs})
    return Trial(trial_id, PAIR, state, evaluation, reason)


@given(ROWS)
def test_the_front_is_that_of_all_rows_at_once(rows):
    found = TradeOff(["macs", "latency_ms"])
    for i, (accuracy, macs, latency) in enumerate(rows):
        metrics = {"accuracy": accuracy, "macs": macs, "latency_ms": latency}
        joined = found.add_result(i, 0.0, metrics, reused=False)
        assert joined == (i in found.front)
    higher_is_better = np.array(rows, float).reshape(-1, 3) * [1, -1, -1]
    assert sorted(found.front) == pareto.front(higher_is_better).tolist()
    np.testing.assert_array_equal(found.values, np.array(rows, float).reshape(-1, 3))


def test_the_front_goes_from_the_best_quality_down_then_by_id():
    found = TradeOff.of([trial(7, 0.2, 1), trial(3, 0.5, 9), trial(5, 0.2, 1)], ["macs"])
    assert [found.ids[place] for place in found.front] == [3, 5, 7]
    assert found.names == ("accuracy", "macs")


def test_without_accuracy_the_reward_is_the_quality():
    found = TradeOff(["macs"])
    found.add_result(0, 0.25, {"macs": 8.0}, reused=False)
    assert found.names == ("reward", "macs")
    assert found.values.tolist() == [[0.25, 8.0]]


@pytest.mark.parametrize(
    "metrics", [{}, {"macs": None}, {"macs": math.nan}, {"macs": 1, "accuracy": math.inf}]
)
def test_a_trial_without_a_number_is_left_out(metrics):
    found = TradeOff(["macs"])
    assert not found.add_result(0, 0.5, metrics, reused=False)
    assert found.ids == ()
    assert found.front == []
    assert found.values.shape == (0, 2)


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.PAUSED, TrialState.RUNNING])
def test_a_training_in_part_is_no_trial_of_the_front(state):
    found = TradeOff(["macs"])
    assert not found.add(trial(0, 0.9, 1, state))
    assert not found.add(Trial(1, PAIR, TrialState.FAILED, reason="it burnt"))
    assert found.ids == ()


def test_a_reused_result_does_not_stand_beside_its_source():
    found = TradeOff(["macs"])
    assert found.add(trial(0, 0.5, 4))
    assert not found.add(trial(1, 0.5, 4, reason="result of trial 0"))
    assert found.add(trial(2, 0.5, 4))  # another architecture that is as good
    assert found.add(trial(3, 0.4, 2, reason="result of trial 12 of runs/earlier"))
    assert [found.ids[place] for place in found.front] == [0, 2, 3]


def test_goals_of_a_configuration():
    assert Goals.of({}) == Goals.of({"Objectives": None}) == Goals()
    section = {"minimise": ["macs", "latency_ms"], "limits": {"macs": 1e6}, "reward": {}}
    assert Goals.of({"Objectives": section}) == Goals(("macs", "latency_ms"), {"macs": 1e6})
