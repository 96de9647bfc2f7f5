"""Plans: what the builder refuses, and sums over its records."""

from __future__ import annotations

import dataclasses

import pytest

from autodl.plans.layers import Add, Conv, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import PlanBuilder, for_input


@pytest.fixture
def builder():
    return PlanBuilder((3, 4, 4))


def test_a_plan_adds_up_its_layers(builder):
    left = builder.add("a.conv", Conv(3, 2, (3, 3), padding=(1, 1, 1, 1)), 0)
    right = builder.add("b.conv", Conv(3, 2, (1, 1)), 0)
    x = builder.add("sum", Add(), left, right)
    x = builder.add("pool", GlobalAvgPool(), x)
    builder.add("out", Linear(2, 5), x)
    plan = builder.finish()
    assert [record.name for record in plan.records] == [
        "input", "a.conv", "b.conv", "sum", "pool", "out",
    ]  # fmt: skip
    assert plan.records[3].inputs == (1, 2)
    assert plan.input_shape == (3, 4, 4)
    assert plan.output_shape == (5,)
    assert plan.parameters == (27 * 2 + 2) + (3 * 2 + 2) + (2 * 5 + 5)
    assert plan.macs == 16 * 27 * 2 + 16 * 3 * 2 + 2 * 5


@pytest.mark.parametrize(
    "name, layer, inputs, message",
    [
        ("input", Relu(), (0,), "already has a layer named 'input'"),
        ("x", Relu(), (1,), "x: no layer at position 1"),
        ("x", Relu(), (-1,), "x: no layer at position -1"),
        ("x", Relu(), (0, 0), "x: needs 1 inputs, got 2"),
        ("x", Add(), (), "x: needs at least one input"),
        ("x", Conv(4, 4, (1, 1)), (0,), "x: a convolution of 4 channels"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_trace(builder, name, layer, inputs, message):
    with pytest.raises(ValueError, match=message):
        builder.add(name, layer, *inputs)
    assert len(builder.finish().records) == 1
    assert builder.add("x", Relu(), 0) == 1  # a refused name is still free


@pytest.mark.parametrize("first, second", [("node", "node.conv"), ("node.conv", "node")])
def test_a_layer_has_no_layers_inside(builder, first, second):
    """The names are paths in the built network, where one would hide the other."""
    builder.add(first, Relu(), 0)
    with pytest.raises(ValueError, match="node"):
        builder.add(second, Relu(), 0)
    builder.add("nodes.conv", Relu(), 0)  # a common prefix is no common path


def test_a_finished_plan_does_not_grow(builder):
    plan = builder.finish()
    builder.add("x", Relu(), 0)
    assert len(plan.records) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.records = ()


def test_the_same_layers_for_other_inputs(builder):
    x = builder.add("conv", Conv(3, 2, (3, 3), stride=(2, 2), padding=(0, 1, 0, 1)), 0)
    y = builder.add("beside", Conv(3, 2, (1, 1), stride=(2, 2)), 0)
    builder.add("pool", GlobalAvgPool(), builder.add("sum", Add(), x, y))
    plan = builder.finish()
    assert for_input(plan, (3, 4, 4)) == plan
    larger = for_input(plan, (3, 8, 6))
    assert [record.shape for record in larger.records] == [
        (3, 8, 6), (2, 4, 3), (2, 4, 3), (2, 4, 3), (2,),
    ]  # fmt: skip
    assert larger.parameters == plan.parameters
    with pytest.raises(ValueError, match="sum: "):
        for_input(plan, (3, 5, 5))
