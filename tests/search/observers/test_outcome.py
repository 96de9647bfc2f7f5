"""A trial's result in words."""

from __future__ import annotations

import pytest

from autodl.search.observers.outcome import full_epochs, one_line, outcome, reached
from autodl.spaces.cell.architecture import CellPair
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
