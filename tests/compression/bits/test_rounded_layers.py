"""Which layers are rounded, and the average of their bits."""

import pytest
from paddle import nn

from autodl.compression.bits.rounded_layers import average_bits, layers_to_round
from autodl.compression.errors import CompressionError


def network():
    return nn.Sequential(
        nn.Conv2D(3, 4, 3),
        nn.BatchNorm2D(4),
        nn.Conv2D(4, 4, 3),
        nn.Conv2D(4, 4, 1),
        nn.Linear(4, 2),
    )


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, ["2", "3"]),
        ({"keep_ends": False}, ["0", "2", "3", "4"]),
        ({"keep": ("3",)}, ["2"]),
        ({"keep_ends": False, "keep": ("[0-2]",)}, ["3", "4"]),
    ],
)
def test_choice_of_layers(options, expected):
    assert list(layers_to_round(network(), **options)) == expected


@pytest.mark.parametrize(
    "options, said",
    [({"keep": ("conv*",)}, "names 'conv.'"), ({"keep": ("*",)}, "no layer is left to round")],
)
def test_refused(options, said):
    with pytest.raises(CompressionError, match=said):
        layers_to_round(network(), **options)


def test_bits_are_weighted_by_size():
    assert average_bits({"a": 2, "b": 8}, {"a": 300, "b": 100, "c": 7}) == 3.5
