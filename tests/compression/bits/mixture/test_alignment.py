"""Progressions fitted to clusters."""

import numpy as np
import pytest

from autodl.compression.bits.mixture.alignment import align_moves, fit_progression
from autodl.compression.bits.mixture.coordinate_ascent import (
    ascend,
    bound_of,
    from_moments,
    moments_around,
)
from autodl.compression.bits.mixture.gaussians import GaussianGrid
from autodl.compression.bits.mixture.points import weighted_points


@pytest.mark.parametrize(
    "means, length, expected",
    [
        ([-3, -1, 1, 3], 4, (-3.0, 2.0)),
        ([0, 1, 2, 3, 4], 8, (0.0, 1.0)),  # three numbers are left over
        ([0, 1, 3, 7], 8, (0.0, 1.0)),
        ([5, 9], 2, (5.0, 4.0)),
    ],
)
def test_exact_progressions_are_found(means, length, expected):
    found = fit_progression(np.array(means, float), np.ones(len(means)), length)
    assert found == pytest.approx(expected, abs=1e-9)


def test_heavier_means_count_more():
    """Least squares over 2 of 3 means that no progression of 2 numbers hits."""
    offset, step = fit_progression(np.array([0.0, 0.1, 1.0]), np.array([3.0, 1.0, 5.0]), 2)
    assert (offset, offset + step) == pytest.approx((0.025, 1.0))


@pytest.mark.parametrize("seed", [1, 2, 14])
def test_a_grid_is_laid_anew_only_if_the_bound_rises(seed):
    """By the bound of the mixtures themselves, of which a swept one's own is a sweep behind."""
    rng = np.random.default_rng(seed)
    points = weighted_points(rng.laplace(size=400) if seed % 2 else rng.normal(size=400))
    points = points.standardised()
    grid = GaussianGrid.between(max(points.values[0], -3), min(points.values[-1], 3), 16, 25.0)
    centres = grid.scores().means
    mixture = from_moments(moments_around(points, centres, 16), grid, 1.0)
    mixture, _ = ascend(points, mixture, 20)
    aligned, bounds = align_moves(points, mixture)
    assert (np.diff([bound_of(points, mixture), *bounds]) > 0).all()
    assert bound_of(points, aligned) == [bound_of(points, mixture), *bounds][-1]
