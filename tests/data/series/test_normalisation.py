"""Normalised series have mean 0 and deviation 1 in each channel; a still channel becomes 0."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.series.normalisation import ChannelScale
from autodl.errors import DataError


def test_channels_are_brought_to_one_scale():
    values = np.random.default_rng(0).normal(5, 3, size=(50, 3, 20)) * [[[1], [1e6], [1e-6]]]
    normal = ChannelScale.of(values).normalise(values)
    assert normal.dtype == np.float32
    # float32 sums of 1,000 values of size 1
    np.testing.assert_allclose(normal.mean(axis=(0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normal.std(axis=(0, 2)), 1, atol=1e-5)


@pytest.mark.parametrize("still", [0.0, 0.1, 1e9])
def test_a_channel_that_never_changes_becomes_zero(still):
    values = np.full((7, 1, 3), still)
    scale = ChannelScale.of(values)
    assert scale.std == (1.0,)
    np.testing.assert_allclose(scale.normalise(values), 0, atol=1e-6)


def test_some_channels_have_the_scale_they_had():
    scale = ChannelScale((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert scale.channels([2, 0]) == ChannelScale((3.0, 1.0), (6.0, 4.0))


@pytest.mark.parametrize(
    "mean, std", [((), ()), ((1.0,), (1.0, 2.0)), ((float("nan"),), (1.0,)), ((0.0,), (0.0,))]
)
def test_scales_that_cannot_be_are_refused(mean, std):
    with pytest.raises(DataError):
        ChannelScale(mean, std)
