"""Regression: loss, tally and score by hand; the optimiser on recurrences."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.errors import ConfigError
from autodl.networks.layers import make_layer
from autodl.plans import layers as kinds
from autodl.tasks.next_value import load_next
from autodl.tasks.options import NextValueOptions
from autodl.tasks.task import Batch
from autodl.training.goal import Truth, goal_of, score
from autodl.training.goals.regression import Regression
from autodl.training.optimisers.parameters import trained_parameters

OUTPUTS = np.array([[1.0, 2.0], [3.0, -1.0]], np.float32)
TARGETS = np.array([[0.0, 2.0], [1.0, 3.0]], np.float32)


def test_loss_and_tally_by_hand():
    """Errors 1, 0, 2, -4: squares 1, 0, 4, 16; the absolute ones 0.5 and 3 a row."""
    goal, truth = Regression(), Truth.of(Batch(OUTPUTS, TARGETS))
    outputs = paddle.to_tensor(OUTPUTS)
    assert float(goal.loss(outputs, truth)) == pytest.approx(21 / 4)
    assert float(goal.tally(outputs, truth)) == pytest.approx(3.5)


def test_smoothed_labels_are_refused():
    with pytest.raises(ConfigError, match=r"label_smoothing=0\.1 is for classes"):
        Regression(label_smoothing=0.1)


class LastSeen(nn.Layer):
    """Predicts that nothing changes."""

    def forward(self, x):
        return x[:, :1, -1]


def test_the_score_of_predicting_no_change_is_what_numpy_says():
    task = load_next(NextValueOptions(targets=("level",)))
    assert isinstance(goal_of(task), Regression)
    found = score(LastSeen(), task, "held_out")
    level = (task.held_out[:, 0] - task.scale.mean[0]) / task.scale.std[0]
    apart = level[32:] - level[31:-1]
    assert found.value == pytest.approx(np.abs(apart).mean(), rel=1e-5)  # float32 inputs
    assert found.loss == pytest.approx(np.square(apart).mean(), rel=1e-5)


def test_biases_of_recurrences_do_not_decay():
    layer = make_layer(kinds.Lstm(2, 3))
    trained_parameters(layer)
    undecayed = {
        name.rpartition(".")[2]
        for name, weight in layer.named_parameters()
        if weight.regularizer is not None
    }
    assert undecayed == {"bias_ih_l0", "bias_hh_l0"}
