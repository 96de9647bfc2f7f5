"""The space of cells with operations on edges: rows, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.edge_cell.architecture import OPERATIONS, EdgeCell
from autodl.spaces.edge_cell.space import EdgeCellSpace


def test_a_row_names_the_operations_edge_by_edge():
    space = EdgeCellSpace()
    assert space.sizes == (5,) * 6
    cell = space.decode(np.array([4, 2, 1, 2, 1, 0]))
    assert cell.operations == (
        *("avg_pool_3x3", "nor_conv_1x1", "skip_connect"),
        *("nor_conv_1x1", "skip_connect", "none"),
    )
    assert space.encode(cell).tolist() == [4, 2, 1, 2, 1, 0]


def test_codes_are_positions_among_the_operations_of_the_space():
    space = EdgeCellSpace(("nor_conv_3x3", "none"))
    assert space.decode(np.array([0, 1, 0, 1, 0, 1])).operations == ("nor_conv_3x3", "none") * 3
    with pytest.raises(ConfigError, match="'avg_pool_3x3', which this space leaves out"):
        space.encode(EdgeCell(("avg_pool_3x3",) * 6))


@pytest.mark.parametrize("operations", [(), ("none", "none"), ("none", "max_pool_3x3")])
def test_spaces_that_cannot_be_are_refused(operations):
    with pytest.raises(ConfigError, match=r"Space.operations must be some of none, skip_connect"):
        EdgeCellSpace(operations)


def test_draws_are_uniform():
    """3,000 draws: five standard errors of a share of 1/5 are 0.037."""
    space, rng = EdgeCellSpace(), np.random.default_rng(0)
    rows = np.array([space.encode(space.sample(rng)) for _ in range(3000)])
    shares = np.stack([np.bincount(column, minlength=5) for column in rows.T]) / len(rows)
    np.testing.assert_allclose(shares, 0.2, atol=0.037)
    assert len(OPERATIONS) == 5
