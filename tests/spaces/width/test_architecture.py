"""Channel numbers as architectures: values, JSON, plans."""

from __future__ import annotations

import json
from inspect import signature

import numpy as np
import pytest

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.catalogue import NETWORKS
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.operations import operation_names
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.spaces.width.plan import cell_factors, width_plan, with_outputs

PAIR = CellSpace(nodes=6, operations=operation_names()).sample(np.random.default_rng(5))


def test_json_round_trips():
    for widths in (
        WidthArchitecture("resnet20", tuple(range(4, 23))),
        WidthArchitecture("cells", (16, 4, 16), PAIR),
    ):
        assert decode_text(encode_text(widths)) == widths
        assert json.loads(encode_text(widths))["kind"] == "widths"


def good():
    return WidthArchitecture("resnet20", (4,) * 19).to_json()


@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"version": 2}, "reads widths version 1"),
        ({"channels": [4] * 18}, "resnet20 has 19 channel numbers, got 18"),
        ({"channels": [4] * 18 + [0]}, "whole number from 1, got 0"),
        ({"channels": [4] * 18 + [True]}, "whole number from 1, got True"),
        ({"channels": [4] * 18 + ["8"]}, "whole number from 1, got '8'"),
        ({"channels": "4"}, "a list of channels"),
        ({"network": "resnet21"}, "not of 'resnet21'"),
        ({"network": ["resnet20"]}, "have a network"),
        ({"network": "cells"}, "'cells' exactly if"),
        ({"cells": 3}, "JSON object, got 3"),
        ({"extra": 1}, "has only the keys"),
    ],
)
def test_foreign_files_are_refused_in_one_line(change, wanted):
    with pytest.raises(EncodingError) as caught:
        decode_text(json.dumps({**good(), **change}))
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_kind_is_refused():
    with pytest.raises(EncodingError, match="expected kind 'widths', got 'mobile'"):
        WidthArchitecture.from_json({**good(), "kind": "mobile"})
    with pytest.raises(ConfigError, match="needs widths, got a CellPair"):
        width_plan(PAIR)


def test_names_of_records_do_not_depend_on_the_widths_but_for_shortcuts():
    one = width_plan(WidthArchitecture("resnet20", (4,) * 19))
    two = width_plan(WidthArchitecture("resnet20", (8, 4) * 9 + (4,)))
    names = [{r.name for r in plan.records if ".shortcut." not in r.name} for plan in (one, two)]
    assert names[0] == names[1]


@pytest.mark.parametrize("size", [16, 30, 32, 9])
def test_both_shortcuts_fit_pictures_of_any_size(size):
    for shortcuts in ("pool", "pool_norm", "norm", "always"):
        widths = WidthArchitecture("resnet20", (8, 4) * 9 + (4,))
        plan = width_plan(widths, image_size=size, shortcuts=shortcuts)
        assert plan.output_shape == (10,)


def test_a_resnet_110_comes_for_free():
    plan = width_plan(WidthArchitecture("resnet110", (16,) * 37 + (32,) * 36 + (64,) * 36))
    # 1.7M parameters (He et al., 2016, table 6)
    assert round(plan.parameters / 1e6, 1) == 1.7


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"stem": "halving"},
        {"stem": "pooled", "entry": "shared"},
        {"stem": "halving", "shortcut": True, "entry": "shared"},
        {"shortcut": True},
    ],
)
def test_cells_of_their_own_proportions_give_their_own_network(kind):
    """With the channel numbers of AutoDL Design the plan is that of the cell network."""
    widths = tuple(round(32 * factor) for factor in cell_factors(2, 3))
    plan = width_plan(
        WidthArchitecture("cells", widths, PAIR), cells_per_stage=2, stages=3, dropout=0.5, **kind
    )
    assert plan == cell_plan(PAIR, width=32, cells_per_stage=2, stages=3, bottleneck=4, **kind)


def test_a_network_of_cells_has_all_options_of_one_but_its_widths():
    own, cells = (signature(plan).parameters for plan in (width_plan, cell_plan))
    assert {*cells} - {"width", "bottleneck"} <= {*own}
    names = ("WidthNetwork", "CellNetwork")
    own, cells = (NETWORKS[name].load_options().model_fields for name in names)
    assert {*cells} - {"width", "bottleneck"} <= {*own}


def test_a_shortcut_between_unlike_numbers_is_a_convolution():
    widths = WidthArchitecture("cells", (16, 4, 24, 8, 24), PAIR)
    plan = width_plan(widths, cells_per_stage=2, stages=1, shortcut=True)
    shortcuts = {record.name: record for record in plan.records if ".shortcut." in record.name}
    assert list(shortcuts) == [  # of the second, whose numbers are alike, there is the sum alone
        "stage0.cell0.shortcut.conv", "stage0.cell0.shortcut.sum", "stage0.cell1.shortcut.sum",
    ]  # fmt: skip
    convolution = shortcuts["stage0.cell0.shortcut.conv"].layer
    assert (convolution.in_channels, convolution.out_channels) == (16, 24)
    assert convolution.kernel == (1, 1)


def test_every_number_of_a_cell_network_counts():
    base = (16, 4, 16, 8, 32)
    sizes = {"cells_per_stage": 1, "stages": 2}
    plans = [width_plan(WidthArchitecture("cells", base, PAIR), **sizes)]
    for index in range(len(base)):
        changed = tuple(n + 3 * (i == index) for i, n in enumerate(base))
        plans.append(width_plan(WidthArchitecture("cells", changed, PAIR), **sizes))
    assert len({plan.macs for plan in plans}) == len(plans)
    with pytest.raises(ConfigError, match="of 9 cells has 19 channel numbers, got 5"):
        width_plan(WidthArchitecture("cells", base, PAIR))


def test_with_outputs_changes_what_is_named():
    plan = width_plan(WidthArchitecture("mobilenet_v2", _mobile(8)))
    assert with_outputs(plan, {}) == plan
    changed = with_outputs(plan, {"last.conv": 11})
    assert changed.records[-1].layer.in_features == 11


def _mobile(width):
    return (width,) * 52


def test_a_depthwise_layer_has_the_channels_before_it():
    with pytest.raises(ConfigError, match=r"depthwise layer of stage1\.block0 has the 8"):
        width_plan(WidthArchitecture("mobilenet_v2", (8,) * 4 + (9,) + (8,) * 47))


def test_a_pool_takes_the_place_of_the_batch_norm_where_the_stride_is_two():
    """As the authors of APS retrain: width-changing shortcuts of stride 1 carry a batch-norm."""
    channels = (4, 4, 8, *[8] * 4, 8, 16, *[16] * 4, 16, 24, *[24] * 4)
    plan = width_plan(WidthArchitecture("resnet20", channels), shortcuts="pool_norm")
    kinds = {}
    for record in plan.records:
        if ".shortcut." in record.name:
            block = record.name.split(".shortcut.")[0]
            kinds.setdefault(block, []).append(type(record.layer).__name__)
    assert kinds == {
        "stage0.block0": ["Conv", "BatchNorm"],
        "stage1.block0": ["AvgPool", "Conv"],
        "stage2.block0": ["AvgPool", "Conv"],
    }
