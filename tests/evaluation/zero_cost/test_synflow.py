"""SynFlow in closed form: of a chain of linear layers, every one of which holds the whole flow."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.evaluation.zero_cost.score import Examples
from autodl.evaluation.zero_cost.synflow import SynFlow
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import BatchNorm, Conv, Flatten, GlobalAvgPool, Linear, Relu, Times
from autodl.plans.plan import PlanBuilder


def examples(*shape):
    return Examples(paddle.zeros([2, *shape]), None, None)


def test_each_layer_of_a_chain_conserves_the_flow():
    builder = PlanBuilder((3, 2, 2))
    x = builder.add("first", Linear(12, 5, bias=False), builder.add("flat", Flatten(), 0))
    builder.add("second", Linear(5, 4, bias=False), builder.add("relu", Relu(), x))
    network = PlanNetwork(builder.finish(), 0)
    one, two = (np.abs(network.layer(name).weight.numpy()) for name in ("first", "second"))
    flow = (np.ones(12) @ one.astype(np.float64) @ two).sum()
    assert SynFlow()(network, examples(3, 2, 2)) == pytest.approx(np.log(2 * flow), rel=1e-6)


def test_batch_norms_are_passed_by():
    def made(norm):
        builder = PlanBuilder((3, 4, 4))
        x = builder.add("conv", Conv(3, 6, (3, 3), bias=False), 0)
        x = builder.add("norm", BatchNorm(6), x) if norm else x
        builder.add("out", Linear(6, 2), builder.add("pool", GlobalAvgPool(), x))
        return PlanNetwork(builder.finish(), 3)

    plain, normed = made(False), made(True)
    normed.layer("norm").weight.set_value(np.full(6, 7.0, np.float32))
    given = examples(3, 4, 4)
    assert SynFlow()(normed, given) == pytest.approx(SynFlow()(plain, given), rel=1e-12)


def test_without_flow_it_is_minus_infinity():
    builder = PlanBuilder((3, 2, 2))
    x = builder.add("dead", Times(0.0), builder.add("flat", Flatten(), 0))
    builder.add("out", Linear(12, 2, bias=False), x)
    assert SynFlow()(PlanNetwork(builder.finish(), 0), examples(3, 2, 2)) == -np.inf
