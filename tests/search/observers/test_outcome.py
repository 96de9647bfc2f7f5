"""A trial's result in words."""

from __future__ import annotations

import pytest

from autodl.search.observers.outcome import (
    SHARE,
    UNSCALED,
    diagnostics_shown,
    full_epochs,
    one_line,
    outcome,
    quality_of,
    reached,
    recorded_as,
    shown_as,
)
from autodl.spaces.cell.architecture import CellPair
from autodl.tasks.task import ABSOLUTE_ERROR, REWARD
from autodl.trial import Evaluation, Trial, TrialState

PAIR = CellPair.from_tokens([0, 1], [])


@pytest.mark.parametrize(
    "state, evaluation, reason, expected",
    [
        ("COMPLETE", Evaluation(0.43), "", "reward: 0.4300"),
        (
            "COMPLETE",
            Evaluation(0.43),
            "result of\ntrial 12",
            "reward: 0.4300 (result of trial 12)",
        ),
        ("PRUNED", Evaluation(0.31, fidelity=1 / 3), "", "pruned at 3 of 9 epochs, reward 0.3100"),
        (
            "PRUNED",
            Evaluation(0.31, fidelity=1 / 9),
            "result of trial 4",
            "pruned at 1 of 9 epochs, reward 0.3100 (result of trial 4)",
        ),
        ("FAILED", None, "loss is NaN\x1b[31m", "failed: loss is NaN [31m"),
    ],
)
def test_outcomes(state, evaluation, reason, expected):
    assert outcome(Trial(3, PAIR, TrialState(state), evaluation, reason), 9) == expected


def test_without_epochs_it_is_a_part_of_the_training():
    assert reached(1 / 3, None) == "33% of the training"
    assert reached(2 / 3, 9) == "6 of 9 epochs"


@pytest.mark.parametrize(
    "config, epochs", [({"Train": {"epochs": 9}}, 9), ({"Train": None}, None), ({}, None)]
)
def test_epochs_of_a_configuration(config, epochs):
    assert full_epochs(config) == epochs


def test_one_line():
    assert one_line(" two\n  lines\t\x00 ") == "two lines"


NEXT = {"Evaluator": {"name": "TrainEvaluator"}, "Data": {"name": "NextValue"}}


@pytest.mark.parametrize(
    "config, shown",
    [
        (NEXT, ABSOLUTE_ERROR),
        ({**NEXT, "Data": {"name": "SequenceClassification"}}, REWARD),
        ({**NEXT, "Data": {"name": "cifar10"}}, REWARD),
        ({**NEXT, "Evaluator": {"name": "TargetMatch"}}, REWARD),  # it learns nothing from the data
        ({**NEXT, "Objectives": {"reward": {"macs": {"target": 1.0}}}}, REWARD),
        ({}, REWARD),
    ],
)
def test_an_error_is_shown_where_it_alone_makes_the_reward(config, shown):
    assert shown_as(config) == shown


def test_an_error_is_shown_as_it_is_not_as_the_negative_that_is_the_reward():
    trial = Trial(3, PAIR, TrialState.COMPLETE, Evaluation(-0.125))
    assert outcome(trial, None, ABSOLUTE_ERROR) == "mae: 0.1250"
    part = Trial(3, PAIR, TrialState.PRUNED, Evaluation(-0.125, fidelity=0.5))
    assert outcome(part, 4, ABSOLUTE_ERROR) == "pruned at 2 of 4 epochs, mae 0.1250"


SCALED = {"Objectives": {"reward": {"macs": {"target": 1.0}}}}


@pytest.mark.parametrize(
    "config, label",
    [
        (NEXT, "mae"),
        ({**NEXT, **SCALED}, "mae"),
        ({**NEXT, "Data": {"name": "cifar10"}}, "accuracy"),
        ({**SCALED, "Evaluator": {"name": "TableEvaluator"}}, "accuracy"),
        # what counts tokens has no accuracy
        ({**SCALED, "Evaluator": {"name": "TokenCount"}}, "unscaled reward"),
        ({"Objectives": {"minimise": ["macs"]}, "Evaluator": {"name": "TokenCount"}}, "reward"),
    ],
)
def test_what_is_traded_off_has_the_name_of_what_it_is(config, label):
    assert quality_of(config).label == recorded_as(config).label == label


def test_an_accuracy_that_an_evaluator_tells_by_itself_is_one():
    config = {"Evaluator": {"name": "TokenCount"}}
    assert (quality_of(config).label, recorded_as(config).label) == ("reward", "accuracy")


def test_diagnostics_tell_the_error_and_a_spread_without_a_sign():
    numbers = {"update": 3, "quality": -1.5, "mean_accuracy": -1.344, "std_accuracy": 0.25}
    assert diagnostics_shown(numbers, SHARE) == numbers
    shown = {"update": 3, "quality": -1.5, "mean_mae": 1.344, "std_mae": 0.25}
    assert diagnostics_shown(numbers, ABSOLUTE_ERROR) == shown
    assert diagnostics_shown({"mean_accuracy": -2.0}, UNSCALED) == {"mean_unscaled_reward": -2.0}
