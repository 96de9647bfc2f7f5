"""Networks of cells with operations on edges: published counts, zeros, refusals."""

from __future__ import annotations

import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import Times
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.architecture import EdgeCell
from autodl.spaces.edge_cell.plan import edge_cell_plan

CLASSIFIER_BIAS = 10  # published FLOPs count it, as one for each class


@pytest.mark.parametrize(
    "operations, parameters, flops",
    [
        (("nor_conv_3x3",) * 6, 1_531_546, 220_119_690),
        (("none",) * 6, 73_306, 7_783_050),
        (("skip_connect",) * 6, 73_306, 7_783_050),
        (("avg_pool_3x3",) * 6, 73_306, 7_783_050),
    ],
)
def test_published_counts(operations, parameters, flops):
    """Of the tables: 1.531546 and 0.073306 M parameters, 220.11969 and 7.78305 M FLOPs."""
    plan = edge_cell_plan(EdgeCell(operations))
    assert (plan.parameters, plan.macs + CLASSIFIER_BIAS) == (parameters, flops)


def test_an_edge_costs_the_same_wherever_it_is():
    """Five cells of 16, 32 and 64 channels, each a convolution of 1x1 and a batch-norm."""
    empty = edge_cell_plan(EdgeCell(("none",) * 6))
    for edge in range(6):
        operations = ["none"] * 6
        operations[edge] = "nor_conv_1x1"
        plan = edge_cell_plan(EdgeCell(tuple(operations)))
        assert plan.parameters - empty.parameters == 5 * sum(c * c + 2 * c for c in (16, 32, 64))
        assert plan.macs - empty.macs == 5 * 3 * 16 * 16 * 32 * 32


def test_a_node_that_nothing_leads_to_is_zero():
    def zeros(*operations):
        plan = edge_cell_plan(EdgeCell(operations), cells=1)
        return [record.name for record in plan.records if record.layer == Times(0.0)]

    assert zeros(*["none"] * 6)[:3] == [f"stage0.cell0.node{node}" for node in (1, 2, 3)]
    only_first = zeros("none", *["skip_connect"] * 5)
    assert only_first == [f"stage{stage}.cell0.node1" for stage in range(3)]


@pytest.mark.parametrize("image_size", [1, 7, 16, 33])
def test_maps_are_halved_twice_rounded_up(image_size):
    plan = edge_cell_plan(EdgeCell(("nor_conv_3x3",) * 6), image_size=image_size, cells=1)
    sides = [record.shape[1] for record in plan.records if record.name.endswith("node3")]
    assert sides == [image_size, -(-image_size // 2), -(-image_size // 4)]


def test_what_does_not_fit_is_refused():
    chain = ChainSpace().decode([0] * 8)
    with pytest.raises(ConfigError, match="got a ChainArchitecture"):
        edge_cell_plan(chain)
    with pytest.raises(ConfigError, match="must be at least 1"):
        edge_cell_plan(EdgeCell(("none",) * 6), cells=0)
