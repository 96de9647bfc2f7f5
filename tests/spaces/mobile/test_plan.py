"""Plans of mobile networks: exact counts, both width rules, skips, sizes of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import BatchNorm, Conv
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.mobile.architecture import PRIMITIVES, MobileArchitecture, MobileBlock
from autodl.spaces.mobile.plan import BASE_WIDTHS, block_widths, mobile_plan
from autodl.spaces.mobile.space import MobileSpace


def network(*blocks):
    """From (operation code, kernel code, skip, depth, width), one for each block or for all."""
    blocks = blocks * 7 if len(blocks) == 1 else blocks
    return MobileArchitecture(
        tuple(
            MobileBlock(
                PRIMITIVES["operation"][operation],
                PRIMITIVES["kernel"][kernel],
                bool(skip),
                depth,
                width,
            )
            for operation, kernel, skip, depth, width in blocks
        )
    )


MINIMUM = network((0, 0, 0, 1, 0.5))
MAXIMUM = network((2, 2, 1, 4, 2))
MOBILENET_V2 = network((1, 0, 1, 1, 1), *((2, 0, 1, depth, 1) for depth in (2, 3, 4, 3, 3, 1)))
MIX = network(
    (0, 1, 1, 2, 1),
    (1, 0, 1, 3, 1.5),
    (2, 1, 0, 2, 1),
    (2, 2, 1, 3, 1),
    (1, 1, 1, 2, 1),
    (2, 0, 1, 2, 0.5),
    (0, 2, 1, 1, 1),
)
PLAIN = network((0, 0, 0, 1, 1))


@pytest.mark.parametrize(
    "architecture, parameters, macs",
    [
        (MINIMUM, 1_511_740, 31_097_088),
        (MAXIMUM, 27_468_072, 3_547_587_968),
        (MOBILENET_V2, 3_587_704, 372_475_776),
        (MIX, 2_264_712, 253_068_656),
    ],
    ids=["minimum", "maximum", "mobilenet_v2", "mix"],
)
def test_counts_at_imagenet_size(architecture, parameters, macs):
    """Numbers on which two independent counters agree; convolutions, norms, classifier."""
    plan = mobile_plan(architecture, classes=1000, image_size=224)
    assert (plan.parameters, plan.macs) == (parameters, macs)
    assert plan.output_shape == (1000,)


def test_ten_classes_take_a_tenth_of_the_classifier():
    assert mobile_plan(MIX, classes=10, image_size=224).parameters == 996_522


def test_random_networks_are_as_large_as_the_published_ones():
    """About 5.25 M parameters and 572 M MACs on average (EATNet-A: 5.1 M and 563 M).

    Of 100 networks the standard errors are 0.36 M and 29 M (measured over 200); within three.
    """
    space, rng = MobileSpace(), np.random.default_rng(0)
    plans = [mobile_plan(space.sample(rng), classes=1000, image_size=224) for _ in range(100)]
    assert np.mean([plan.parameters for plan in plans]) == pytest.approx(5.25e6, abs=1.1e6)
    assert np.mean([plan.macs for plan in plans]) == pytest.approx(572e6, abs=87e6)


def test_width_factors_are_of_the_base_widths():
    assert block_widths(PLAIN) == BASE_WIDTHS == (16, 24, 32, 64, 96, 160, 320)
    assert block_widths(network((0, 0, 0, 1, 1.5))) == (24, 36, 48, 96, 144, 240, 480)
    small = (4, 6, 8, 16, 24, 40, 81)
    assert block_widths(MINIMUM, base_widths=small) == (2, 3, 4, 8, 12, 20, 40)


def test_width_factors_can_compound():
    halves = network(*((0, 0, 0, 1, width) for width in (0.5, 2, 1.5, 1, 2, 0.5, 1.5)))
    assert block_widths(halves, compounding=True) == (16, 32, 48, 48, 96, 48, 72)
    # every width is rounded down before the next is made from it, and none is below 1
    assert block_widths(MINIMUM, stem_width=9, compounding=True) == (4, 2, 1, 1, 1, 1, 1)
    plan = mobile_plan(MINIMUM, compounding=True)
    assert (plan.records[-4].shape, plan.output_shape) == ((1280, 4, 4), (10,))


@pytest.mark.parametrize(
    "image_size, final", [(224, 7), (96, 3), (65, 3), (64, 8), (32, 4), (16, 2), (8, 1), (1, 1)]
)
@pytest.mark.parametrize("architecture", [MINIMUM, MAXIMUM], ids=["minimum", "maximum"])
def test_pictures_of_every_size(architecture, image_size, final):
    plan = mobile_plan(architecture, image_size=image_size)
    (pool,) = (i for i, record in enumerate(plan.records) if record.name == "head.pool")
    assert plan.records[pool - 1].shape == (1280, final, final)


def test_strides_can_be_chosen():
    plan = mobile_plan(PLAIN, image_size=32, strides=(2, 1, 2, 1, 1, 1, 1, 1))
    shapes = {record.name: record.shape for record in plan.records}
    assert shapes["stem.relu"] == (32, 16, 16)
    assert shapes["block1.layer0.sep.pointwise.relu"] == (24, 8, 8)
    assert shapes["head.conv"] == (1280, 8, 8)


def names(plan, prefix):
    return [record.name[len(prefix) :] for record in plan.records if record.name.startswith(prefix)]


def test_the_layers_of_a_separable_convolution():
    plan = mobile_plan(network((0, 1, 1, 2, 1)))
    parts = [
        *("sep.depthwise.conv", "sep.depthwise.norm", "sep.depthwise.relu"),
        *("sep.pointwise.conv", "sep.pointwise.norm", "sep.pointwise.relu"),
    ]
    # no skip where the shape changes, whatever is asked for; the identity where it does not
    assert names(plan, "block3.layer0.") == parts
    assert names(plan, "block3.layer1.") == [*parts, "sum"]
    # the public code builds the shortcut of this operation, and does not add it
    plan = mobile_plan(network((0, 1, 1, 2, 1)), sep_conv_skip=False)
    assert names(plan, "block3.layer1.") == parts
    mixed = network(*[(0, 1, 1, 2, 1)] * 3, *[(1, 1, 1, 2, 1)] * 4)
    plan = mobile_plan(mixed, sep_conv_skip=False)
    assert [name for name in names(plan, "block") if name.endswith("sum")] == [
        f"{block}.layer{layer}.sum" for block in (3, 4, 5, 6) for layer in (0, 1)
    ]


def test_the_layers_of_an_inverted_bottleneck():
    parts = [
        *("mb.expand.conv", "mb.expand.norm", "mb.expand.relu"),
        *("mb.depthwise.conv", "mb.depthwise.norm", "mb.depthwise.relu"),
        *("mb.project.conv", "mb.project.norm"),
    ]
    plan = mobile_plan(network((1, 2, 1, 2, 1)))
    assert names(plan, "block3.layer0.") == [*parts, "mb.bypass.conv", "mb.bypass.norm", "sum"]
    assert names(plan, "block3.layer1.") == [*parts, "sum"]
    plan = mobile_plan(network((1, 2, 1, 2, 1)), skip_on_change="none")
    assert names(plan, "block3.layer0.") == parts
    assert names(plan, "block3.layer1.") == [*parts, "sum"]
    plan = mobile_plan(network((1, 2, 0, 2, 1)))
    assert names(plan, "block3.") == [f"layer{i}.{part}" for i in (0, 1) for part in parts]
    layers = {record.name: record.layer for record in plan.records}
    # 32 channels come in, times 3; the first layer halves the map in its depthwise part
    assert layers["block3.layer0.mb.expand.conv"] == Conv(32, 96, (1, 1), bias=False)
    assert layers["block3.layer0.mb.depthwise.conv"] == Conv(
        96, 96, (7, 7), (2, 2), (3, 3, 3, 3), groups=96, bias=False
    )
    assert layers["block3.layer1.mb.project.norm"] == BatchNorm(64, momentum=0.9, epsilon=2e-5)


def test_a_first_layer_that_keeps_the_shape_has_the_identity():
    """Block 0 at width factor 2: 32 channels in and out, stride 1."""
    plan = mobile_plan(network((2, 0, 1, 1, 2)))
    records = {record.name: record for record in plan.records}
    assert "block0.layer0.mb.bypass.conv" not in records
    total = records["block0.layer0.sum"]
    assert [plan.records[i].name for i in total.inputs] == [
        "block0.layer0.mb.project.norm",
        "stem.relu",
    ]


def test_networks_of_other_widths_and_depths_share_names():
    """What weights are inherited by: the first layers of a block are called the same."""
    small, large = (
        {record.name for record in mobile_plan(network((2, 0, 0, depth, width))).records}
        for depth, width in ((2, 0.5), (4, 2))
    )
    assert small < large
    other = {record.name for record in mobile_plan(network((0, 0, 0, 2, 0.5))).records}
    shared = {name for name in small & other if name.startswith("block")}
    assert not shared  # another operation's layers are others


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"classes": 0}, "Network.classes must be at least 1, got 0"),
        ({"image_size": 0}, "Network.image_size must be at least 1"),
        ({"head_width": 0}, "Network.head_width must be at least 1"),
        ({"stem_width": 0}, "stem_width at least 1"),
        ({"base_widths": (16, 24)}, "Network.base_widths must be 7 numbers from 1"),
        ({"base_widths": (0, *BASE_WIDTHS[1:])}, "Network.base_widths must be 7 numbers from 1"),
        ({"base_widths": ()}, "Network.base_widths must be 7 numbers from 1"),
        ({"strides": (1, 2)}, "Network.strides must be 8 numbers"),
        ({"strides": (0,) * 8}, "Network.strides must be 8 numbers"),
        ({"strides": ()}, "Network.strides must be 8 numbers"),
        ({"skip_on_change": "maybe"}, "skip_on_change must be project or none, got 'maybe'"),
        ({"dropout": 1.0}, "Network.dropout must be at least 0 and below 1, got 1.0"),
    ],
)
def test_impossible_arguments_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message) as caught:
        mobile_plan(PLAIN, **arguments)
    assert "\n" not in str(caught.value)


def test_an_architecture_of_another_space_is_refused():
    with pytest.raises(ConfigError, match="made of mobile blocks, got a CellPair"):
        mobile_plan(CellSpace(nodes=3).sample(np.random.default_rng(0)))
