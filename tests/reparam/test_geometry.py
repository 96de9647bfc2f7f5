"""Paddle's ways to say stride, padding and dilation, against what its convolution does."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.geometry import ConvGeometry


@pytest.mark.parametrize(
    "padding, sides",
    [
        (2, (2, 2, 2, 2)),
        ([1, 2], (1, 1, 2, 2)),
        ((0, 1, 2, 3), (0, 1, 2, 3)),
        ([[0, 0], [0, 0], [0, 1], [2, 3]], (0, 1, 2, 3)),
        ("same", (1, 1, 2, 2)),
        ("VALID", (0, 0, 0, 0)),
    ],
)
def test_padding_is_what_paddle_pads(padding, sides):
    geometry = ConvGeometry.of(nn.Conv2D(2, 3, (3, 5), padding=padding))
    assert geometry.padding == sides
    x, weight = paddle.randn([1, 2, 9, 8]), paddle.randn([3, 2, 3, 5])
    top, bottom, left, right = sides
    expected = F.conv2d(F.pad(x, [left, right, top, bottom]), weight)
    # the same products in another order: some 30 roundings of float32
    np.testing.assert_allclose(F.conv2d(x, weight, padding=padding), expected, atol=1e-5)


def test_same_padding_of_an_even_kernel_is_uneven():
    assert ConvGeometry.read(1, 1, 2, padding="SAME").padding == (0, 1, 0, 1)


def test_paddle_drops_the_dilation_beside_same():
    """Why geometry refuses it: the outputs are those without dilation, bit for bit."""
    x, weight = paddle.randn([1, 1, 9, 9]), paddle.randn([1, 1, 3, 3])
    spread, plain = (F.conv2d(x, weight, padding="SAME", dilation=d) for d in (2, 1))
    np.testing.assert_array_equal(spread.numpy(), plain.numpy())


def test_reach_and_margin():
    """A 5x3 window of dilation (1, 2) reaches 2 rows and 2 columns."""
    geometry = ConvGeometry.read(4, 6, (5, 3), 1, [0, 2, 3, 1], (1, 2), 2)
    assert geometry.reach == (2, 2)
    assert geometry.margin == (-2, 0, 1, -1)
    assert geometry.paddle_padding == [0, 2, 3, 1]
    assert ConvGeometry.read(1, 1, 3, padding=(1, 2)).paddle_padding == [1, 2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 1, 3), "in_channels must be at least 1, got 0"),
        ((1, 1, 0), "kernel must be at least 1"),
        ((1, 1, 3, 0), "stride must be at least 1"),
        ((1, 1, 3, 1, -1), "padding must be at least 0"),
        ((1, 1, 3, 1, [1, 2, 3]), r"got \[1, 2, 3\]"),
        ((1, 1, 3, 1, 1.5), "padding must be a number"),
        ((1, 1, 2.5), "kernel_size must be one integer or two"),
        ((1, 1, 3, True), "stride must be one integer or two, got True"),
        ((1, 1, 3, 1, [True, 0]), "padding must be a number.*, got True"),
        ((1, 4.0, 3), "out_channels must be an integer, got 4.0"),
        (("4", 4, 3), "in_channels must be an integer, got '4'"),
        ((1, 1, 3, 1, 0, 1, True), "groups must be an integer, got True"),
        ((1, 1, (3, 3, 3)), "kernel_size must be one integer or two"),
        ((4, 6, 3, 1, 1, 1, 4), "groups 4 must divide"),
        ((1, 1, 3, 2, "SAME"), r"stride \[2, 2\] depends on the input's size"),
        ((1, 1, 3, 1, "SAME", 2), r"drop dilation \[2, 2\]"),
        ((1, 1, 3, 1, "full"), "padding 'full' is unknown"),
    ],
)
def test_arguments_that_say_no_convolution(arguments, message):
    with pytest.raises(ReparameterisationError, match=message):
        ConvGeometry.read(*arguments)


def test_integers_of_numpy_become_those_of_python():
    number = np.int64
    found = ConvGeometry.read(
        number(2), number(4), number(3), (number(1), 2), [number(1)] * 4, number(1), number(2)
    )
    assert found == ConvGeometry.read(2, 4, 3, (1, 2), 1, 1, 2)
    assert {type(found.out_channels), type(found.groups), type(found.stride[0])} == {int}
    assert type(found.padding[0]) is int


def test_centred_or_not():
    ConvGeometry.read(1, 1, (3, 5), 2, (2, 4), 2).require_centred()
    with pytest.raises(ReparameterisationError, match=r"must be \[1, 1, 2, 2\]"):
        ConvGeometry.read(1, 1, (3, 5), 2, (1, 1)).require_centred()
    with pytest.raises(ReparameterisationError, match=r"kernel \[3, 4\] has an even side"):
        ConvGeometry.read(1, 1, (3, 4), 2, (1, 2)).require_centred()
