"""The score of correlations: closed forms of the specification, and what changes nothing."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from autodl.evaluation.zero_cost.jacobian import Jacobian, correlation_score
from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Flatten, Linear, Relu, Times
from autodl.plans.plan import PlanBuilder

rng = np.random.default_rng(0)
K = 1e-5


def test_scale_and_offset_of_a_row_and_orders_change_nothing():
    rows = rng.normal(size=(10, 60))
    score = correlation_score(rows)
    scales = rng.uniform(0.5, 3, (10, 1)) * np.where(rng.random((10, 1)) < 0.5, -1, 1)
    assert correlation_score(scales * rows + rng.normal(size=(10, 1))) == pytest.approx(score)
    moved = rows[rng.permutation(10)][:, rng.permutation(60)]
    assert correlation_score(moved) == pytest.approx(score, rel=1e-9)


def test_independent_rows_score_highest():
    basis = np.linalg.qr(np.c_[np.ones(64), rng.normal(size=(64, 12))])[0].T[1:]
    highest = -12 * (math.log(1 + K) + 1 / (1 + K))
    assert correlation_score(basis) == pytest.approx(highest, abs=1e-9)
    assert correlation_score(rng.normal(size=(12, 64))) < highest


def test_equal_rows_score_as_in_closed_form():
    # eigenvalues N and N - 1 zeros; the specification has -3.0996466e6 for N = 32
    rows = np.tile(rng.normal(size=40), (32, 1))
    assert correlation_score(rows) == pytest.approx(-3.0996466e6, rel=1e-6)


def test_a_shared_component_lowers_it():
    rows, shared = rng.normal(size=(10, 80)), rng.normal(size=80)
    scores = [correlation_score(rows + share * shared) for share in (0, 1, 2, 4, 8)]
    assert scores == sorted(scores, reverse=True)


def test_what_is_not_finite_scores_lowest():
    assert correlation_score(np.full((3, 4), np.nan)) == -math.inf


def mlp(dead: bool = False):
    builder = PlanBuilder((3, 2, 2))
    x = builder.add("hidden", Linear(12, 20), builder.add("flat", Flatten(), 0))
    x = builder.add("relu", Relu(), x)
    x = builder.add("dead", Times(0.0), x) if dead else x
    builder.add("out", Linear(20, 1), x)
    return PlanNetwork(builder.finish(), 0)


def test_gradients_are_those_of_the_output_by_each_picture():
    network = mlp()
    inputs = rng.normal(size=(6, 3, 2, 2)).astype(np.float32)
    first, second = network.layer("hidden").weight.numpy(), network.layer("out").weight.numpy()
    active = inputs.reshape(6, 12) @ first > 0
    expected = (active * second[:, 0]) @ first.T
    found = Jacobian()(network, Examples(paddle.to_tensor(inputs), None, None))
    assert found == pytest.approx(correlation_score(expected), rel=1e-3)  # float32, 1 / eigenvalue


def test_a_network_that_does_not_see_its_inputs_scores_lowest():
    examples = Examples(paddle.ones([4, 3, 2, 2]), None, None)
    assert Jacobian()(mlp(dead=True), examples) == -math.inf
