"""One factor for all widths: bisection against a search through all of them."""

from __future__ import annotations

import pytest

from autodl.plans.layers import Conv, GlobalAvgPool, Linear, MaxPool, Relu
from autodl.plans.plan import PlanBuilder
from autodl.plans.step_table import Grid, StepTable
from autodl.spaces.stage.budget import MOST, STEP, scaled, sides, step_ms, widest, work


def test_widths_are_multiples_of_8():
    assert [scaled(64, factor) for factor in (0.01, 0.5, 0.6, 1, 1.06, 1.07)] == [
        *(8, 32, 40, 64, 64, 72)
    ]
    assert scaled(4, 1.0) == 8
    assert scaled(20, 1.0) == 24  # between 16 and 24


@pytest.mark.parametrize("budget", [1e3, 7.5e4, 1e6, 1e9, 1e15])
@pytest.mark.parametrize("widths", [(64, 128, 128), (512, 32), (100,), (5, 7)])
def test_the_factor_is_the_largest_that_fits(widths, budget):
    asked = []

    def cost(factor):
        asked.append(factor)
        return sum(9.0 * scaled(width, factor) ** 2 for width in widths)

    largest = max(widths)
    factors = [n * STEP / largest for n in range(1, MOST // STEP + 1)]
    fitting = [factor for factor in factors if cost(factor) <= budget]
    asked.clear()
    assert widest(cost, largest, budget) == (fitting[-1] if fitting else factors[0])
    assert len(asked) <= 10


def test_work_counts_values_that_are_only_passed():
    builder = PlanBuilder((3, 4, 4))
    x = builder.add("conv", Conv(3, 8, (1, 1)), 0)
    x = builder.add("relu", Relu(), x)
    x = builder.add("pool", GlobalAvgPool(), x)
    builder.add("linear", Linear(8, 2), x)
    plan = builder.finish()
    assert work(plan, 0.0) == plan.macs == 3 * 8 * 16 + 16
    assert work(plan, 2.0) == plan.macs + 2 * (8 * 16 + 8 * 16)


def test_sides_of_pictures_that_grow():
    """20, 24 and 28 for a quarter of the epochs each, and the full side for what is left."""
    assert sides(32, None) == sides(32, 32) == {32: 1.0}
    assert sides(32, 20) == {20: 0.25, 24: 0.25, 28: 0.25, 32: 0.25}


def test_smaller_pictures_count_with_what_they_cost():
    """A ReLU of 1 ms at 4x4 takes a quarter at 2x2; a pool does not fit on 1x1."""
    builder = PlanBuilder((3, 4, 4))
    x = builder.add("relu", Relu(), 0)
    builder.add("pool", MaxPool((2, 2), (2, 2)), x)
    plan = builder.finish()
    grid = Grid(axes={"channels": (3.0,), "side": (4.0,)}, ms=(1.0,))
    kinds = {"Relu on pictures": grid, "MaxPool kernel=2x2 stride=2x2": grid}
    table = StepTable(
        machine="", batch_size=2, repetitions=1, config="", measured="", seconds=0.0, factor=1.0,
        kinds=kinds,
    )  # fmt: skip
    assert step_ms(plan, table, {}, {4: 1.0}) == pytest.approx(2.0)
    assert step_ms(plan, table, {}, {2: 0.5, 4: 0.5}) == pytest.approx(0.5 * 0.5 + 0.5 * 2.0)
    assert step_ms(plan, table, {}, {1: 0.5, 4: 0.5}) == pytest.approx(2.0)
