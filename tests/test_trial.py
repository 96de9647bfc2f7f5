"""Trials: states, rewards, and what reports print of them."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from autodl.spaces.cell.architecture import CellPair
from autodl.trial import Evaluation, Trial, TrialFailure, TrialState

PAIR = CellPair.from_tokens([1, 5, 6, 8], [1, 0])


def test_which_states_are_final():
    assert {state for state in TrialState if state.finished} == {
        TrialState.PRUNED,
        TrialState.COMPLETE,
        TrialState.FAILED,
    }


@pytest.mark.parametrize("state", list(TrialState))
def test_states_are_their_names_in_upper_case(state):
    assert state.value == state.name == state.name.upper()
    assert TrialState(state.value) is state
    assert json.loads(json.dumps(state)) == state.name


@pytest.mark.parametrize("reward", [0.0, -1.5, 0.75])
def test_the_reward_is_the_evaluations(reward):
    assert Trial(0, PAIR, TrialState.COMPLETE, Evaluation(reward)).reward == reward


@pytest.mark.parametrize("state", [TrialState.PROPOSED, TrialState.RUNNING, TrialState.FAILED])
def test_no_evaluation_no_reward(state):
    assert Trial(0, PAIR, state).reward is None


def test_as_json():
    metrics = {"loss": math.nan, "worst": math.inf, "least": -math.inf, "parameters": 12.0}
    trial = Trial(7, PAIR, TrialState.COMPLETE, Evaluation(0.5, metrics), seconds=1.23456)
    plain = trial.to_json()
    assert plain == {
        "id": 7,
        "state": "COMPLETE",
        "reward": 0.5,
        "fidelity": 1.0,
        "architecture": PAIR.to_json(),
        "seconds": 1.235,
        "reason": "",
        "reused": False,
        "metrics": {"loss": None, "worst": None, "least": None, "parameters": 12.0},
    }
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_a_failed_one_as_json():
    plain = Trial(1, PAIR, TrialState.FAILED, reason="loss is NaN", traceback="...").to_json()
    assert (plain["state"], plain["reward"], plain["metrics"]) == ("FAILED", None, {})
    assert plain["reason"] == "loss is NaN"


def test_trials_are_values():
    trial = Trial(1, PAIR, TrialState.PROPOSED)
    assert trial == Trial(1, PAIR, TrialState.PROPOSED)
    with pytest.raises(FrozenInstanceError):
        trial.id = 2


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_a_result_with_a_reason_is_that_of_another_trial(state):
    trial = Trial(1, PAIR, state, Evaluation(0.5), reason="result of trial 0")
    assert trial.reused
    assert not replace(trial, reason="").reused
    assert not replace(trial, state=TrialState.PAUSED, reason="its worker died").reused


def test_a_failure_says_what_may_help_and_knows_its_reason_apart():
    failure = TrialFailure("its loss is nan", "a lower rate may help")
    for one in (failure, pickle.loads(pickle.dumps(failure))):  # as from another process
        assert str(one) == "its loss is nan; a lower rate may help"
        assert one.reason == "its loss is nan"
    alone = TrialFailure("its loss is nan")
    assert str(alone) == alone.reason == "its loss is nan"
