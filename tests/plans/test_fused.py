"""Plans of what is deployed."""

from __future__ import annotations

from autodl.plans.fused import absorbed_norms, fused_plan
from autodl.plans.layers import Add, BatchNorm, Conv, Relu
from autodl.plans.plan import PlanBuilder


def test_only_a_batch_norm_that_alone_reads_a_convolution_is_absorbed():
    builder = PlanBuilder((3, 4, 4))
    one = builder.add("one.conv", Conv(3, 2, (1, 1), bias=False), 0)
    one = builder.add("one.norm", BatchNorm(2), one)
    shared = builder.add("shared.conv", Conv(2, 2, (1, 1), bias=False), one)
    left = builder.add("shared.norm", BatchNorm(2), shared)
    both = builder.add("both", Add(), left, shared, one)
    late = builder.add("late.conv", Conv(2, 2, (1, 1), bias=False), both)
    late = builder.add("late.relu", Relu(), late)
    builder.add("late.norm", BatchNorm(2), late)
    plan = builder.finish()

    assert absorbed_norms(plan) == {1: 2}
    fused = fused_plan(plan)
    names = [record.name for record in fused.records]
    assert names == [
        "input", "one.conv", "shared.conv", "shared.norm", "both", "late.conv", "late.relu",
        "late.norm",
    ]  # fmt: skip
    assert [r.layer.bias for r in fused.records if isinstance(r.layer, Conv)] == [
        True,
        False,
        False,
    ]
    assert fused.records[4].inputs == (3, 2, 1)
    assert fused.parameters == plan.parameters - 4 + 2
    assert fused.macs == plan.macs
    assert fused_plan(fused) == fused


def test_a_bias_in_front_of_the_batch_norm_is_counted_once():
    builder = PlanBuilder((3, 4, 4))
    builder.add("norm", BatchNorm(2), builder.add("conv", Conv(3, 2, (3, 3)), 0))
    assert fused_plan(builder.finish()).parameters == 3 * 2 * 9 + 2
