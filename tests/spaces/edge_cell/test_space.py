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


def test_weights_stand_for_the_largest_of_each_edge_and_none_is_one_of_them():
    space, rng = EdgeCellSpace(), np.random.default_rng(0)
    (table,) = space.tables
    assert table.edges == ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")
    assert table.operations == OPERATIONS
    weights = rng.dirichlet(np.ones(5), size=6)
    weights[2] = (0.6, 0.1, 0.1, 0.1, 0.1)
    weights[3] = 0.2
    cell = space.strongest({"edges": weights})
    assert [OPERATIONS.index(name) for name in cell.operations] == weights.argmax(axis=1).tolist()
    assert cell.operations[2:4] == ("none", "none")  # of equals the first
    assert space.operations_of(cell) == cell.operations
