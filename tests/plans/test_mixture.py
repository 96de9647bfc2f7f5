"""A mixture's layer: its shape, and what it refuses."""

from __future__ import annotations

import pytest

from autodl.plans.layers import BatchNorm
from autodl.plans.mixture import Mix


def test_inputs_of_one_shape_are_mixed_for_free():
    mix = Mix("normal", 3, (1, 4))
    assert mix.output_shape((8, 4, 4), (8, 4, 4)) == (8, 4, 4)
    assert (mix.parameters, mix.macs((8, 4, 4))) == (0, 0)


@pytest.mark.parametrize(
    "inputs, wanted",
    [
        (((8, 4, 4),), "2 columns are mixed, got 1 inputs"),
        (((8, 4, 4), (8, 2, 2)), "cannot add inputs of shapes"),
    ],
)
def test_other_inputs_are_refused(inputs, wanted):
    with pytest.raises(ValueError, match=wanted):
        Mix("normal", 3, (1, 4)).output_shape(*inputs)


def test_a_batch_norm_that_is_not_affine_has_no_parameters():
    assert (BatchNorm(8).parameters, BatchNorm(8, affine=False).parameters) == (16, 0)
