"""Progressions fitted to clusters."""

import numpy as np
import pytest

from autodl.compression.bits.mixture.alignment import fit_progression


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
