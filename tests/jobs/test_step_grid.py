"""What a grid of measured steps is of: gaps, and the order of times."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from autodl.jobs.step_grid import axes_of, filled, points_of
from autodl.plans.layers import Conv
from autodl.plans.sizes import Kind


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


def test_what_is_too_large_is_left_out_unless_all_is():
    kind = Kind(Conv(8, 8, (3, 3), padding=(1, 1, 1, 1)))
    seen = {kind: [(8, 8, 8.0), (512, 512, 32.0)]}
    points = points_of(kind, axes_of(seen)[kind], batch_size=100)
    measured = {(point.shapes[0], point.output) for point in points}
    assert ((512, 8, 8), (512, 8, 8)) in measured
    assert ((512, 32, 32), (512, 32, 32)) not in measured
    alone = {kind: [(512, 512, 32.0)]}  # 2.4 billion multiply-accumulates
    (only,) = points_of(kind, axes_of(alone)[kind], batch_size=100)
    assert (only.shapes[0], only.pictures) == ((512, 32, 32), 2)
