"""ZiCo's formula by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodl.evaluation.zero_cost.zico import inverse_variation


def test_two_layers_by_hand():
    # |g|: (1, 3) mean 2 deviation 1; (2, 2) does not vary; (4, 8): 6 and 2
    first, second = np.array([[1, 2], [-3, -2]]), np.array([[4.0], [8.0]])
    assert inverse_variation([first, second]) == pytest.approx(math.log(2) + math.log(3))


def test_scale_changes_nothing():
    layers = [np.random.default_rng(0).normal(size=(2, size)) for size in (5, 9)]
    scaled = [1000 * layer for layer in layers]
    assert inverse_variation(scaled) == pytest.approx(inverse_variation(layers), rel=1e-12)


@pytest.mark.parametrize("layer", [np.ones((2, 3)), np.full((2, 3), np.nan), np.zeros((2, 3))])
def test_without_anything_that_varies_it_is_minus_infinity(layer):
    assert inverse_variation([layer]) == -math.inf
