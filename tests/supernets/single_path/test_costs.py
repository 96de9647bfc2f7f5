"""The sum of a table is the count of the plan, for every architecture."""

from __future__ import annotations

import numpy as np

from autodl.spaces.rows import random_row
from autodl.supernets.single_path.costs import CostTable


def test_sums_are_the_counts_of_plans(supernet):
    rng, space = np.random.default_rng(0), supernet.space
    rows = np.array([random_row(space.sizes, rng) for _ in range(50)])
    wanted = [supernet.make_plan(space.decode(row)).macs for row in rows]
    np.testing.assert_array_equal(CostTable.of(supernet.blocks).macs(rows), wanted)
    assert len(set(wanted)) > 10
