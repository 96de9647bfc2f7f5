"""RepVGG's plans: the published counts, and where widths, strides and groups change."""

from __future__ import annotations

from typing import get_args

import pytest

from autodl.errors import ConfigError, UnknownNameError
from autodl.plans.fused import fused_plan
from autodl.plans.layers import BatchNorm, Conv, Linear, Relu, Scale
from autodl.spaces.classic.options import RepVGGOptions
from autodl.spaces.classic.repvgg import VARIANTS, repvgg_plan

# parameters of the deployed form and its 10^9 multiply-accumulates at 224 (paper, table 2, there
# in millions and billions; these digits are those of the authors' networks; B2g2 and B3g2, which it
# leaves out, have two thirds of what four groups save)
PUBLISHED = {
    "A0": (8_309_384, 1.361),
    "A1": (12_789_864, 2.364),
    "A2": (25_499_944, 5.117),
    "B0": (14_339_048, 3.058),
    "B1": (51_829_480, 11.815),
    "B1g2": (41_360_104, 8.810),
    "B1g4": (36_125_416, 7.307),
    "B2": (80_315_112, 18.377),
    "B2g2": (63_956_712, 13.680),
    "B2g4": (55_777_512, 11.332),
    "B3": (110_960_872, 26.209),
    "B3g2": (87_404_776, 19.446),
    "B3g4": (75_626_728, 16.064),
}


def convolutions(**options):
    return [record for record in repvgg_plan(**options).records if isinstance(record.layer, Conv)]


@pytest.mark.parametrize("variant", PUBLISHED)
def test_published_counts(variant):
    plan = repvgg_plan(variant=variant)
    parameters, billions = PUBLISHED[variant]
    assert fused_plan(plan).parameters == parameters
    assert round(plan.macs / 1e9, 3) == billions
    assert fused_plan(plan).macs == plan.macs


def test_d2se_in_millions():
    """120.39 million deployed parameters, as others that port it say (OpenMMLab's table)."""
    deployed = fused_plan(repvgg_plan(variant="D2se"))
    assert round(deployed.parameters / 1e6, 2) == 120.39
    assert round(deployed.macs / 1e9, 1) == 32.8
    assert (
        sum(isinstance(record.layer, Scale) for record in deployed.records) == 1 + 8 + 14 + 24 + 1
    )


def test_every_variant_can_be_configured():
    assert set(PUBLISHED) | {"D2se"} == set(VARIANTS)
    assert get_args(RepVGGOptions.model_fields["variant"].annotation) == tuple(VARIANTS)


def test_widths_and_strides_of_a0():
    """Stage 0 is a layer of min(64, 64 a) channels; a = 0.75, b = 2.5."""
    found = [(record.layer.out_channels, record.shape[1]) for record in convolutions()]
    expected = [(48, 112)] + [(48, 56)] * 2 + [(96, 28)] * 4 + [(192, 14)] * 14 + [(1280, 7)]
    assert found == expected
    firsts = [record.name for record in convolutions() if record.layer.stride == (2, 2)]
    assert firsts == [f"stage{stage}.layer0.conv" for stage in range(5)]
    assert all(record.layer.padding == (1, 1, 1, 1) for record in convolutions())


def test_stage_0_is_never_wider_than_64():
    assert [convolutions(variant=name)[0].layer.out_channels for name in ("B0", "B1", "B3")] == [
        64,
        64,
        64,
    ]


@pytest.mark.parametrize("variant, groups", [("B1", 1), ("B1g2", 2), ("B1g4", 4), ("B3g4", 4)])
def test_every_second_layer_is_grouped(variant, groups):
    """Of 28 layers, counted from stage 0 as 0: 2, 4, ... 26."""
    found = [record.layer.groups for record in convolutions(variant=variant)]
    assert len(found) == 28
    assert found == [groups if i and i % 2 == 0 else 1 for i in range(28)]


def test_layers_in_order():
    names = [record.name for record in repvgg_plan(layers=(1, 1, 1, 1)).records]
    stages = [
        f"stage{stage}.layer0.{part}" for stage in range(5) for part in ("conv", "norm", "relu")
    ]
    assert names == ["input", *stages, "head.pool", "head.classifier"]


def test_gates_stand_between_batch_norm_and_relu():
    records = repvgg_plan(variant="D2se", layers=(1, 1, 1, 1), width=0.1).records
    relu = next(r for r in records if isinstance(r.layer, Relu) and r.name.endswith("layer0.relu"))
    scale = records[relu.inputs[0]]
    assert isinstance(scale.layer, Scale)
    maps, factors = (records[i] for i in scale.inputs)
    assert isinstance(maps.layer, BatchNorm)
    assert factors.name == "stage0.layer0.gate.sigmoid"
    inner = [r.layer for r in records if isinstance(r.layer, Linear)]
    assert [layer.out_features for layer in inner[:4]] == [1, 6, 1, 16]  # 6 and 16 channels


def test_cifar_variant_keeps_the_size_in_stages_0_and_1():
    found = [record.shape[1] for record in convolutions(image_size=32, classes=10, cifar=True)]
    assert found == [32] * 3 + [16] * 4 + [8] * 14 + [4]
    plain = repvgg_plan(image_size=32)
    cifar = repvgg_plan(image_size=32, cifar=True)
    assert plain.parameters == cifar.parameters


def test_layers_and_width_for_small_studies():
    found = convolutions(variant="B1", layers=(1, 2, 1, 1), width=0.25, image_size=32)
    assert [record.layer.out_channels for record in found] == [16, 32, 64, 64, 128, 512]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"width": 0.001}, "width 0.001 leaves no channels"),
        ({"variant": "B1g4", "width": 0.02}, "which 4 groups do not divide"),
        ({"layers": (1, 0, 1, 1)}, r"at least 1 each, got \[1, 0, 1, 1\]"),
    ],
)
def test_options_that_fit_no_network(options, message):
    with pytest.raises(ConfigError, match=message):
        repvgg_plan(**options)


def test_unknown_variant():
    with pytest.raises(UnknownNameError, match="Did you mean 'B1g"):
        repvgg_plan(variant="B1g")
