"""Evaluating one proposal; what all executors share is tested in contracts/test_executors.py."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import DataError
from autodl.search.evaluate import evaluate_trial
from autodl.spaces.cell.space import CellSpace
from autodl.trial import Evaluation, TrialFailure, TrialState

ARCHITECTURE = CellSpace(nodes=3).sample(np.random.default_rng(0))


def evaluate(evaluator, trial_id=4, seed=9):
    return evaluate_trial(evaluator, trial_id, ARCHITECTURE, seed)


def raising(error):
    def evaluator(architecture, rng):
        raise error

    return evaluator


def test_the_generator_is_that_of_seed_and_trial():
    def evaluator(architecture, rng):
        assert architecture is ARCHITECTURE
        return Evaluation(rng.random())

    for seed, trial_id in ((9, 4), (0, 0)):
        expected = np.random.default_rng((seed, trial_id, 1)).random()
        trial = evaluate(evaluator, trial_id, seed)
        assert (trial.id, trial.reward) == (trial_id, expected)
        assert (trial.state, trial.reason, trial.traceback) == (TrialState.COMPLETE, "", "")


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
def test_a_reward_that_is_not_finite_is_a_failure(reward):
    trial = evaluate(lambda architecture, rng: Evaluation(reward))
    assert (trial.state, trial.reward) == (TrialState.FAILED, None)
    assert trial.reason == f"the reward is {float(reward)}"


@pytest.mark.parametrize(
    "error, reason",
    [
        (TrialFailure("loss\n  is nan"), "loss is nan"),
        (TrialFailure(), "the evaluator gave no reason"),
        (ValueError("a\nb"), "ValueError: a b"),
        (ZeroDivisionError(), "ZeroDivisionError: "),
        (DataError("no pictures; get some"), "no pictures; get some"),
        (MemoryError("x" * 900), "MemoryError: " + "x" * 487),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_whatever_is_raised_becomes_a_reason_of_one_line(error, reason):
    trial = evaluate(raising(error))
    assert trial.state is TrialState.FAILED
    assert trial.reason == reason
    wanted = "" if isinstance(error, TrialFailure) else "Traceback"
    assert trial.traceback.startswith(wanted)
    assert bool(trial.traceback) == bool(wanted)


@pytest.mark.parametrize("value", [None, 0.5, (0.5, {}), {"reward": 0.5}])
def test_a_result_that_is_no_evaluation_is_a_failure(value):
    trial = evaluate(lambda architecture, rng: value)
    assert (trial.state, trial.evaluation) == (TrialState.FAILED, None)
    assert (
        trial.reason == f"TypeError: an evaluator returns an Evaluation, got {type(value).__name__}"
    )


def test_metrics_that_are_no_numbers_fail_the_trial_and_not_the_search():
    trial = evaluate(lambda architecture, rng: Evaluation(0.5, {"device": "cpu"}))
    assert (trial.state, trial.evaluation) == (TrialState.FAILED, None)
    assert trial.reason.startswith("ValueError: could not convert string to float: 'cpu'")


def test_ctrl_c_is_no_result():
    with pytest.raises(KeyboardInterrupt):
        evaluate(raising(KeyboardInterrupt()))
