"""Shapes and costs of every kind of layer against brute force."""

from __future__ import annotations

import itertools

import pytest

from autodl.plans.layers import (
    Add,
    AsMap,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Crop,
    Dropout,
    DropPath,
    EverySecond,
    Flatten,
    GlobalAvgPool,
    Gru,
    Input,
    Linear,
    Lstm,
    MaxPool,
    Product,
    Relu,
    Scale,
    Sigmoid,
    window_shape,
)


def positions(size, before, after, reach, stride):
    """How many windows of ``reach`` fit, found by trying every start."""
    return len(
        [s for s in range(0, size + before + after, stride) if s + reach <= size + before + after]
    )


@pytest.mark.parametrize("size", [1, 2, 5, 8, 9])
def test_window_shape_counts_the_windows_that_fit(size):
    cases = itertools.product([1, 2, 3, 5], [1, 2, 3], [0, 1, 2], [0, 1, 2], [1, 2])
    for kernel, stride, before, after, dilation in cases:
        reach = dilation * (kernel - 1) + 1
        expected = positions(size, before, after, reach, stride)
        arguments = (size, 9), (kernel, 1), (stride, 1), (before, after, 0, 0), (dilation, 1)
        if expected:
            assert window_shape(*arguments) == (expected, 9)
        else:
            with pytest.raises(ValueError, match="does not fit"):
                window_shape(*arguments)


def test_height_and_width_are_not_mixed_up():
    conv = Conv(2, 3, (1, 3), (2, 1), (0, 0, 1, 1))
    assert conv.output_shape((2, 8, 5)) == (3, 4, 5)
    pool = MaxPool((3, 1), (1, 2), (1, 1, 0, 0))
    assert pool.output_shape((2, 8, 5)) == (2, 8, 3)


@pytest.mark.parametrize("groups, bias", [(1, True), (1, False), (2, True), (6, False)])
def test_conv_costs_by_listing_every_weight(groups, bias):
    conv = Conv(6, 12, (3, 2), padding=(1, 1, 0, 1), groups=groups, bias=bias)
    weights = sum(1 for _ in itertools.product(range(12), range(6 // groups), range(3), range(2)))
    assert conv.parameters == weights + 12 * bias
    shape = conv.output_shape((6, 5, 7))
    assert shape == (12, 5, 7)
    assert conv.macs(shape) == weights * 5 * 7  # each weight once at each of the outputs


def test_conv_refuses_other_channels_and_flat_input():
    for shape in [(5, 8, 8), (6,)]:
        with pytest.raises(ValueError, match="6 channels"):
            Conv(6, 6, (1, 1)).output_shape(shape)


def test_linear():
    assert Linear(7, 3).output_shape((7,)) == (3,)
    assert Linear(7, 3).parameters == 7 * 3 + 3
    assert Linear(7, 3).macs((3,)) == 21
    with pytest.raises(ValueError, match="7 inputs"):
        Linear(7, 3).output_shape((8,))


def test_layers_that_keep_their_input_are_free():
    for layer in (Relu(), Sigmoid(), Dropout(0.5)):
        assert layer.output_shape((4, 3, 2)) == (4, 3, 2)
        assert (layer.parameters, layer.macs((4, 3, 2))) == (0, 0)


def test_batch_norm_has_scale_and_shift():
    layer = BatchNorm(5)
    assert (layer.parameters, layer.macs((5, 4, 4))) == (10, 0)
    assert (layer.momentum, layer.epsilon) == (0.9, 1e-3)
    assert layer.output_shape((5, 4, 4)) == (5, 4, 4)


def test_add_and_concat():
    assert Add().output_shape((4, 3, 2), (4, 3, 2)) == (4, 3, 2)
    assert Concat().output_shape((4, 3, 2), (1, 3, 2), (2, 3, 2)) == (7, 3, 2)
    with pytest.raises(ValueError, match="cannot add"):
        Add().output_shape((4, 3, 2), (1, 3, 2))
    with pytest.raises(ValueError, match="cannot concatenate"):
        Concat().output_shape((4, 3, 2), (4, 2, 3))


def test_crop_cuts_rows_and_columns():
    assert Crop(1, 2).output_shape((3, 5, 4)) == (3, 4, 2)
    for shape in ((3, 1, 4), (3, 5, 2)):
        with pytest.raises(ValueError, match="cannot cut 1 rows and 2 columns"):
            Crop(1, 2).output_shape(shape)
    assert (Crop(1, 1).parameters, DropPath().parameters) == (0, 0)
    assert DropPath().output_shape((3, 5, 4)) == (3, 5, 4)


def test_every_second_channel():
    shapes = [EverySecond(first).output_shape((5, 3, 2)) for first in (0, 1)]
    assert shapes == [(3, 3, 2), (2, 3, 2)]
    with pytest.raises(ValueError, match="leaves nothing to one half"):
        EverySecond(0).output_shape((1, 3, 2))


def test_scale_takes_maps_and_one_number_for_each():
    assert Scale().output_shape((4, 3, 2), (4,)) == (4, 3, 2)
    assert (Scale().parameters, Scale().macs((4, 3, 2))) == (0, 0)
    for shapes in [((4, 3, 2), (3,)), ((4, 3, 2), (4, 1, 1)), ((4,), (4,))]:
        with pytest.raises(ValueError, match="one number for each"):
            Scale().output_shape(*shapes)


def test_flatten():
    assert Flatten().output_shape((4, 3, 2)) == (24,)
    assert Flatten().output_shape((5,)) == (5,)


def test_pools_keep_channels():
    assert AvgPool((2, 2), (2, 2)).output_shape((4, 6, 8)) == (4, 3, 4)
    assert GlobalAvgPool().output_shape((4, 6, 8)) == (4,)
    assert Input((3, 2, 1)).output_shape() == (3, 2, 1)


@pytest.mark.parametrize("kind, gates", [(Lstm, 4), (Gru, 3)])
def test_recurrences_by_counting_gate_by_gate(kind, gates):
    """Each gate has a weight for 3 inputs and 5 states, and two biases, for each of 5 outputs."""
    layer = kind(3, 5)
    assert layer.output_shape((3, 1, 7)) == (5, 1, 7)
    assert layer.parameters == gates * (5 * 3 + 5 * 5 + 5 + 5)
    assert layer.macs((5, 1, 7)) == 7 * gates * (5 * 3 + 5 * 5)
    for shape in ((4, 1, 7), (3, 2, 7), (3, 7), (3,)):
        with pytest.raises(ValueError, match=r"a recurrence over rows of 3 got"):
            layer.output_shape(shape)


def test_a_series_becomes_a_map_of_one_row():
    assert AsMap().output_shape((2, 9)) == (2, 1, 9)
    with pytest.raises(ValueError, match=r"channels and a length, got the shape \(2, 1, 9\)"):
        AsMap().output_shape((2, 1, 9))


def test_products_are_of_equal_maps_or_of_one_for_all():
    for factors in ((4, 1, 9), (1, 1, 9)):
        assert Product().output_shape((4, 1, 9), factors) == (4, 1, 9)
    for factors in ((2, 1, 9), (4, 1, 1), (4,)):
        with pytest.raises(ValueError, match=r"cannot multiply maps \(4, 1, 9\) by"):
            Product().output_shape((4, 1, 9), factors)
