"""Plans of networks for series: shapes, reach, gates, heads, short series."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import Add, Conv, Product, Scale
from autodl.spaces.mobile.space import MobileSpace
from autodl.spaces.sequence import plan as plans
from autodl.spaces.sequence.architecture import (
    GATES,
    HEADS,
    OPERATIONS,
    SequenceArchitecture,
    SequenceBlock,
)
from autodl.spaces.sequence.plan import sequence_plan


def plan_of(*blocks, head="mean", **arguments):
    given = {"channels": 2, "length": 20, "outputs": 3, "width": 8, **arguments}
    return sequence_plan(SequenceArchitecture(blocks, head), **given)


def kinds_of(plan):
    return [type(record.layer) for record in plan.records]


def test_every_name_is_built():
    assert tuple(plans._BUILD) == OPERATIONS
    assert ("none", *plans._GATES) == GATES


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("length", [1, 2, 19])
def test_operations_keep_channels_and_length(operation, length):
    plan = plan_of(SequenceBlock(operation), SequenceBlock(operation, skip=True), length=length)
    sums = [record.shape for record in plan.records if isinstance(record.layer, Add)]
    assert sums == [(8, 1, length)]


def test_a_convolution_by_hand():
    """Stem 2 x 8 and block 8 x 8 x 5 without biases, scales and shifts, 8 x 3 + 3 at the end."""
    plan = plan_of(SequenceBlock("conv_5"))
    assert plan.parameters == 2 * 8 + 16 + 8 * 8 * 5 + 16 + 8 * 3 + 3
    assert plan.macs == 20 * (2 * 8 + 8 * 8 * 5) + 8 * 3


def test_dilation_is_as_named():
    found = {
        name: [
            (record.layer.kernel, record.layer.dilation)
            for record in plan_of(SequenceBlock(name)).records
            if isinstance(record.layer, Conv) and record.name.startswith("block0")
        ]
        for name in OPERATIONS
        if name.startswith("dil_conv")
    }
    assert found == {f"dil_conv_3_by_{step}": [((1, 3), (1, step))] for step in (2, 4, 8)}


def test_gates_multiply_every_value_every_step_or_every_channel():
    shapes = {}
    for gate in GATES[1:]:
        plan = plan_of(SequenceBlock("conv_3", gate))
        (product,) = [r for r in plan.records if isinstance(r.layer, Product | Scale)]
        shapes[gate] = plan.records[product.inputs[1]].shape
        assert plan.records[product.inputs[0]].name == "block0.operation.relu"
    assert shapes == {"linear": (8, 1, 20), "temporal": (1, 1, 20), "channel": (8,)}
    assert not {Product, Scale} & {*kinds_of(plan_of(SequenceBlock("conv_3")))}


def test_halving_rounds_down_and_leaves_one_step():
    plan = plan_of(*[SequenceBlock("conv_3", halve=True)] * 6)
    lengths = [record.shape[2] for record in plan.records if record.name.endswith("halve")]
    assert lengths == [10, 5, 2, 1]


@pytest.mark.parametrize("head", HEADS)
def test_heads_give_a_number_for_each_channel(head):
    plan = plan_of(SequenceBlock("lstm"), head=head)
    assert plan.records[plan.records[-1].inputs[0]].shape == (8,)
    assert plan.output_shape == (3,)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"width": 0}, "must be at least 1, got 2, 20, 3 and 0"),
        ({"length": 0}, "must be at least 1"),
        ({"dropout": 1.0}, "Network.dropout must be at least 0 and below 1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        plan_of(SequenceBlock("conv_3"), **arguments)


def test_other_architectures_are_refused():
    other = MobileSpace().sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="got a MobileArchitecture; name the Network of"):
        sequence_plan(other, channels=1, length=9, outputs=2)
