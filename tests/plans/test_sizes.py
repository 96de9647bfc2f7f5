"""Kinds of layers and their sizes: what is one kind, and layers made anew in other sizes."""

from __future__ import annotations

import pytest

from autodl.plans.layers import Add, BatchNorm, Conv, Gelu, Linear, MaxPool, Relu, Times
from autodl.plans.plan import PlanBuilder
from autodl.plans.sizes import Kind, sized_layers

SAME = (1, 1, 1, 1)


def conv(inputs, outputs, groups=1, stride=1):
    return Conv(inputs, outputs, (3, 3), (stride, stride), SAME, groups=groups, bias=False)


@pytest.mark.parametrize(
    "kind, name, axes",
    [
        (Kind(conv(16, 8)), "Conv kernel=3x3 padding=1x1x1x1 bias=0", ("in", "out", "side")),
        (
            Kind(conv(16, 16, 16, 2)),
            "Conv kernel=3x3 stride=2x2 padding=1x1x1x1 bias=0 depthwise",
            ("channels", "side"),
        ),
        (
            Kind(conv(16, 16, 4)),
            "Conv kernel=3x3 padding=1x1x1x1 bias=0 groups=4",
            ("channels", "side"),
        ),
        (Kind(Conv(3, 24, (2, 2)), 1, True), "Conv kernel=2x2 on pictures", ("in", "out", "side")),
        (
            Kind(conv(8, 8), form="dbb"),
            "Conv kernel=3x3 padding=1x1x1x1 bias=0 as dbb",
            ("in", "out", "side"),
        ),
        (Kind(BatchNorm(8, 0.6, 1e-12)), "BatchNorm", ("channels", "side")),
        (Kind(Add(), 2), "Add of 2", ("channels", "side")),
        (Kind(MaxPool((2, 2), (2, 2))), "MaxPool kernel=2x2 stride=2x2", ("channels", "side")),
        (Kind(Linear(8, 10, bias=False)), "Linear bias=0", ("in", "out")),
        (Kind(Times(0.1)), "Times", ("channels", "side")),
    ],
)
def test_a_kind_is_all_but_the_sizes(kind, name, axes):
    assert (kind.name, kind.axes) == (name, axes)


@pytest.mark.parametrize(
    "kind, sizes, layer, shapes",
    [
        (Kind(conv(16, 8)), (32, 64, 5), conv(32, 64), ((32, 5, 5),)),
        (Kind(conv(16, 16, 16)), (32, 5), conv(32, 32, 32), ((32, 5, 5),)),
        (Kind(conv(16, 16, 4)), (32, 5), conv(32, 32, 4), ((32, 5, 5),)),
        (Kind(BatchNorm(8, 0.6)), (16, 4), BatchNorm(16, 0.6), ((16, 4, 4),)),
        (Kind(Add(), 2), (16, 4), Add(), ((16, 4, 4), (16, 4, 4))),
        (Kind(Linear(8, 10)), (16, 10), Linear(16, 10), ((16,),)),
    ],
)
def test_a_layer_of_other_sizes(kind, sizes, layer, shapes):
    assert kind.of_sizes(sizes) == (layer, shapes)


def test_a_window_that_does_not_fit_is_no_layer():
    with pytest.raises(ValueError, match="window"):
        Kind(MaxPool((2, 2), (2, 2))).of_sizes((8, 1))


def test_the_layers_of_a_plan():
    """A norm right behind a convolution with branches is part of it, one behind a pool is not."""
    builder = PlanBuilder((3, 8, 8))
    x = builder.add("stem.conv", Conv(3, 24, (2, 2)), 0)
    entry = builder.add("stem.gelu", Gelu(), x)
    x = builder.add("stage1.conv", conv(24, 24), entry)
    x = builder.add("stage1.norm", BatchNorm(24), x)
    x = builder.add("stage1.sum", Add(), x, entry)
    x = builder.add("stage2.conv", conv(24, 16), x)
    x = builder.add("stage2.pool", MaxPool((2, 2), (2, 2)), x)
    x = builder.add("stage2.norm", BatchNorm(16), x)
    builder.add("stage2.relu", Relu(), x)
    found = [
        (name, sizes)
        for name, _, sizes in sized_layers(builder.finish(), {"stage1": "acb", "stage2": "repvgg"})
    ]
    plain = "Conv kernel=3x3 padding=1x1x1x1 bias=0"
    assert found == [
        ("Conv kernel=2x2 on pictures", (3, 24, 8)),
        ("Gelu", (24, 7)),
        (f"{plain} as acb", (24, 24, 7)),
        ("Add of 2", (24, 7)),
        (f"{plain} as repvgg", (24, 16, 7)),
        ("MaxPool kernel=2x2 stride=2x2", (16, 7)),
        ("BatchNorm", (16, 3)),
        ("Relu", (16, 3)),
    ]
