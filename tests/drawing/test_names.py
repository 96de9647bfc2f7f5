"""Readable names and families of every operation."""

from __future__ import annotations

import pytest

from autodl.drawing.names import families, family, readable, readable_metric, readable_number
from autodl.spaces.operations import operation_names


@pytest.mark.parametrize(
    "name, text, label",
    [
        ("conv_3x3", "conv 3×3", "convolution"),
        ("dil_conv_3x3", "dilated conv 3×3", "dilated convolution"),
        ("sep_conv_5x5", "separable conv 5×5", "separable convolution"),
        ("conv_1x5_5x1", "conv 1×5, 5×1", "pair of convolutions"),
        ("max_pool_2x2", "max pool 2×2", "max pooling"),
        ("avg_pool_4x4", "avg pool 4×4", "average pooling"),
        ("skip_connect", "skip", "skip"),
        ("squeeze_excite", "squeeze excite", "other"),
        ("_", "_", "other"),
    ],
)
def test_name_and_family(name, text, label):
    assert readable(name) == text
    assert family(name).label == label


def test_every_operation_has_a_name_of_its_own_and_a_family():
    names = operation_names()
    assert len({readable(name) for name in names}) == len(names)
    assert all(family(name).label != "other" for name in names if name[0] in "cdmas")
    assert len({entry.fill for entry in families()}) == len(families())


@pytest.mark.parametrize(
    "value, text",
    [
        (28042.0, "28,042"),
        (1234.5, "1,234"),
        (0.437, "0.4370"),
        (-0.25, "-0.2500"),
        (12.3456, "12.35"),
        (1.0, "1"),
        (None, "-"),
    ],
)
def test_numbers(value, text):
    assert readable_number(value) == text


def test_metrics():
    assert readable_metric("latency_ms") == "latency (ms)"
    assert readable_metric("held_out_loss") == "held out loss"
