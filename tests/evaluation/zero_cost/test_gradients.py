"""Scores of the loss's gradients on one linear layer, against NumPy."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.evaluation.zero_cost.gradients import GradientNorm, Snip
from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Flatten, Linear
from autodl.plans.plan import PlanBuilder
from autodl.spaces.classic.airbench import airbench_plan
from autodl.training.goal import Truth
from autodl.training.goals.classification import Classification

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(8, 3, 2, 2)).astype(np.float32)
LABELS = np.arange(8) % 3


@pytest.fixture
def network():
    builder = PlanBuilder((3, 2, 2))
    builder.add("out", Linear(12, 3), builder.add("flat", Flatten(), 0))
    return PlanNetwork(builder.finish(), 0)


def examples():
    return Examples(
        paddle.to_tensor(INPUTS), Truth(paddle.to_tensor(LABELS)), Classification(label_smoothing=0)
    )


def expected(network):
    """The weight, and the gradient of the mean cross-entropy by it."""
    weight = network.layer("out").weight.numpy().astype(np.float64)
    rows = INPUTS.reshape(8, 12).astype(np.float64)
    logits = rows @ weight + network.layer("out").bias.numpy()
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return weight, rows.T @ (shares - np.eye(3)[LABELS]) / 8


def test_gradient_norm(network):
    _, gradient = expected(network)
    found = GradientNorm()(network, examples())
    assert found == pytest.approx(np.linalg.norm(gradient), rel=1e-5)  # float32


def test_snip(network):
    weight, gradient = expected(network)
    found = Snip()(network, examples())
    assert found == pytest.approx(np.abs(weight * gradient).sum(), rel=1e-5)  # float32


@pytest.mark.parametrize("score", [GradientNorm, Snip])
def test_what_is_not_finite_scores_lowest(network, score):
    network.layer("out").weight.set_value(np.full((12, 3), np.nan, np.float32))
    assert score()(network, examples()) == -np.inf


@pytest.mark.parametrize("score", [GradientNorm, Snip])
def test_convolutions_with_a_bias_are_scored_and_stay_trainable(score):
    network = PlanNetwork(airbench_plan(classes=3, image_size=16, widths=(8, 8, 8)), 0)
    network.train()
    pictures = np.random.default_rng(0).standard_normal((8, 3, 16, 16)).astype(np.float32)
    trainable = [one.stop_gradient for one in network.parameters()]
    goal = Classification(label_smoothing=0)
    some = Examples(paddle.to_tensor(pictures), Truth(paddle.to_tensor(LABELS)), goal)
    assert score()(network, some) > 0
    assert [one.stop_gradient for one in network.parameters()] == trainable
