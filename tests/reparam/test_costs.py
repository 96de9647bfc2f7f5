"""Costs of training forms: the published ones, and those of networks that were built."""

from __future__ import annotations

import pytest

from autodl.errors import UnknownNameError
from autodl.networks.costs import Costs, network_costs
from autodl.networks.network import PlanNetwork
from autodl.plans.fused import fused_plan
from autodl.reparam.costs import training_costs
from autodl.reparam.fusion import fuse
from autodl.reparam.replacement import BLOCKS, replace_convolutions
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.classic.repvgg import repvgg_plan
from autodl.spaces.classic.vgg import vgg16_plan
from autodl.spaces.operations import operation_names


@pytest.mark.parametrize(
    "variant, parameters",
    [
        ("A0", 9_108_968),
        ("A1", 14_092_264),
        ("A2", 28_210_600),
        ("B0", 15_817_960),
        ("B1", 57_415_016),
        ("B1g2", 45_782_376),
        ("B1g4", 39_966_056),
        ("B2", 89_022_376),
        ("B2g4", 61_758_376),
        ("B3", 123_085_288),
        ("B3g4", 83_825_128),
    ],
)
def test_repvgg_as_published(variant, parameters):
    assert training_costs(repvgg_plan(variant=variant), "repvgg").parameters == parameters


@pytest.mark.parametrize(
    "plan, block, parameters",
    [
        (cifar_quick_plan(), "acb", 149_226),
        (cifar_quick_plan(), "dbb", 205_785),
        (vgg16_plan(), "acb", 24_810_570),
        (vgg16_plan(), "dbb", 34_555_673),
    ],
    ids=["cifar_quick-acb", "cifar_quick-dbb", "vgg16-acb", "vgg16-dbb"],
)
def test_the_authors_cifar_networks(plan, block, parameters):
    assert training_costs(plan, block).parameters == parameters


def every_operation():
    """Convolutions without batch-norms, dilated, depthwise, and of one row."""
    names = operation_names()
    cell = Cell.from_names(names, [0] * (len(names) * (len(names) - 1) // 2))
    return cell_plan(
        CellPair(cell, cell), width=4, stages=2, cells_per_stage=1, image_size=8, bottleneck=2
    )


PLANS = {
    "cifar_quick": cifar_quick_plan(image_size=15),
    "grouped": repvgg_plan(variant="B1g4", layers=(2, 2, 2, 1), width=0.125, image_size=32),
    "squeeze": repvgg_plan(variant="D2se", layers=(1, 2, 1, 1), width=0.1, image_size=32),
    "cells": every_operation(),
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("name", PLANS)
def test_counts_are_those_of_the_built_network(name, block):
    plan = PLANS[name]
    network = PlanNetwork(plan, seed=0)
    replace_convolutions(network, block)
    assert network_costs(network, plan.input_shape) == training_costs(plan, block)


@pytest.mark.parametrize("name", [name for name in PLANS if name != "cells"])
def test_fused_plans_are_those_of_fused_networks(name):
    """Every convolution of these has a batch-norm, so all forms are fused to the same plan."""
    plan = PLANS[name]
    for block in (None, "repvgg"):
        network = PlanNetwork(plan, seed=0)
        if block:
            replace_convolutions(network, block)
        fused = fuse(network)
        assert fused.plan == fused_plan(plan)
        expected = Costs(fused.plan.parameters, fused.plan.macs)
        assert network_costs(fused, plan.input_shape) == expected


def test_d2se_by_a_formula_that_reads_no_plan():
    """48 blocks of 3x3, 1x1 and identity, each with a gate of two linear layers behind it."""
    parameters = macs = 0
    channels, side = 3, 224
    for out, blocks in ((64, 1), (160, 8), (320, 14), (640, 24), (2560, 1)):
        for block in range(blocks):
            side //= 1 if block else 2
            inner = out // 16
            gate = 2 * out * inner
            parameters += 10 * channels * out + 4 * out + gate + inner + out
            parameters += 2 * out if block else 0  # the identity's batch-norm
            macs += 10 * channels * out * side**2 + gate
            channels = out
    parameters += 1000 * channels + 1000
    macs += 1000 * channels
    expected = Costs(parameters, macs)
    assert training_costs(repvgg_plan(variant="D2se"), "repvgg") == expected
    assert expected == Costs(133_334_836, 36_476_744_192)


def test_unknown_block():
    with pytest.raises(UnknownNameError, match="Known: acb, dbb, repvgg"):
        training_costs(cifar_quick_plan(), "acbb")
