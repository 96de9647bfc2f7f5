"""Networks of shuffle blocks: weights and multiply-accumulates as they are published."""

from __future__ import annotations

from functools import partial

import numpy as np
import paddle
import pytest

from autodl.errors import ConfigError
from autodl.networks.costs import network_costs
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import BatchNorm
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.shuffle.architecture import ShuffleArchitecture
from autodl.spaces.shuffle.plan import shuffle_plan
from autodl.spaces.shuffle.space import ShuffleSpace
from autodl.supernets.single_path.blocks import find_blocks
from autodl.supernets.single_path.costs import CostTable

SPACE = ShuffleSpace()
PLAN = partial(shuffle_plan, classes=1000, image_size=224)
RELEASED = (2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)
# codes, multiply-accumulates, weights of convolutions and the classifier (Guo et al.'s released
# network: 323 million, 3.5 million)
PUBLISHED = [
    (RELEASED, 322_918_720, 3_529_312),
    ((0,) * 20, 295_842_496, None),
    ((1,) * 20, 313_654_976, None),
    ((2,) * 20, 340_373_696, None),
    ((3,) * 20, 358_825_920, None),
]


@pytest.mark.parametrize("codes, macs, weights", PUBLISHED)
def test_published_counts(codes, macs, weights):
    plan = PLAN(SPACE.decode(np.array(codes)))
    assert plan.macs == macs
    layers = [record.layer for record in plan.records]
    counted = sum(layer.parameters for layer in layers if not isinstance(layer, BatchNorm))
    assert weights is None or counted == weights


def test_sums_of_blocks_are_the_published_counts():
    table = CostTable.of(find_blocks(SPACE, PLAN))
    rows = np.array([codes for codes, *_ in PUBLISHED])
    np.testing.assert_array_equal(table.macs(rows), [macs for _, macs, _ in PUBLISHED])


SMALL = ShuffleSpace(repeats=(2, 1))
SIZES = {"classes": 3, "image_size": 9, "stem_width": 4, "widths": (8, 12), "head_width": 5}


@pytest.mark.parametrize("codes", [(0, 1, 2), (3, 3, 0)])
def test_the_built_network_costs_what_is_counted(codes):
    plan = shuffle_plan(SMALL.decode(np.array(codes)), **SIZES)
    costs = network_costs(PlanNetwork(plan), plan.input_shape)
    assert (costs.macs, costs.parameters) == (plan.macs, plan.parameters)


def test_small_pictures_keep_their_size_in_the_stem():
    plan = shuffle_plan(SMALL.decode(np.array([0, 3, 2])), **SIZES, stem_stride=1, dropout=0.0)
    shapes = {record.name: record.shape for record in plan.records}
    assert shapes["stem.relu"] == (4, 9, 9)
    assert shapes["stage0.block0.joined"] == shapes["stage0.block1.joined"] == (8, 5, 5)
    assert shapes["stage1.block0.joined"] == (12, 3, 3)
    assert "head.dropout" not in shapes
    assert plan.output_shape == (3,)


def test_a_block_keeps_every_second_channel():
    """The kept ones come first; the others go through the layers of the block."""
    plan = shuffle_plan(SMALL.decode(np.array([0, 1, 0])), **SIZES)
    network = PlanNetwork(plan, 0)
    network.eval()
    values, x = {}, paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 9, 9)))
    names, taken = [record.name for record in plan.records], [x.astype("float32")]
    for record in plan.records[1:]:
        taken.append(network.layer(record.name)(*(taken[i] for i in record.inputs)))
        values[record.name] = taken[-1].numpy()
    entry, found = values["stage0.block0.joined"], values["stage0.block1.joined"]
    np.testing.assert_array_equal(found[:, :4], entry[:, 0::2])
    np.testing.assert_array_equal(found[:, 4:], values["stage0.block1.project.relu"])
    np.testing.assert_array_equal(values["stage0.block1.changed"], entry[:, 1::2])
    assert "stage0.block1.shortcut.point.conv" not in names
    assert "stage0.block0.shortcut.point.conv" in names


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"widths": (8, 12, 16)}, "widths has 3 stages, and the architecture 2"),
        ({"widths": (8, 8)}, "must be even and rise from the stem's 4 on, got 8, 8"),
        ({"widths": (9, 12)}, "must be even"),
        ({"stem_width": 8}, "rise from the stem's 8 on"),
        ({"head_width": 0}, "must be at least 1"),
    ],
)
def test_mistakes(options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        shuffle_plan(SMALL.decode(np.zeros(3, int)), **{**SIZES, **options})


def test_architectures_of_others_are_refused():
    with pytest.raises(ConfigError, match="is made of shuffle blocks, got a EdgeCell"):
        shuffle_plan(EdgeCellSpace().decode([0] * 6))
    assert isinstance(SMALL.decode(np.zeros(3, int)), ShuffleArchitecture)
