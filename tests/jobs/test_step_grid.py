"""What a grid of measured steps is of: gaps, and the order of times."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from autodl.jobs.step_grid import filled


@pytest.mark.parametrize("axes", [{"in": (8, 32), "out": (8, 16), "side": (2, 8)}])
def test_gaps_are_filled_by_work_and_times_rise(axes):
    """Of products of sizes any gap is the product itself; a dip is raised to what is before it."""
    work = np.reshape([a * b * c**2 for a, b, c in product(*axes.values())], (2, 2, 2)) * 1.0
    for gap in ((1, 1, 1), (0, 0, 0), (1, 0, 1)):
        times = work.copy()
        times[gap] = np.nan
        np.testing.assert_allclose(filled(times, axes), work)
    times = work.copy()
    times[1, 0, 0] = 1.0
    assert filled(times, axes)[1, 0, 0] == work[0, 0, 0]
