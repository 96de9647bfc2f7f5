"""Cells with operations on edges as values and JSON objects."""

from __future__ import annotations

import pytest

from autodl.errors import EncodingError
from autodl.spaces.edge_cell.architecture import EDGES, EdgeCell

CELL = EdgeCell(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "none"))


def test_edges_lead_into_nodes_in_their_order():
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert CELL.edges_into(0) == ()
    assert CELL.edges_into(2) == ((0, "skip_connect"), (1, "nor_conv_1x1"))
    assert CELL.edges_into(3) == ((0, "nor_conv_3x3"), (1, "avg_pool_3x3"), (2, "none"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 2}, "reads edge_cell version 1, got 2"),
        ({"operations": "none"}, "must be a list of names, got 'none'"),
        ({"operations": ["none"] * 5}, "a cell of 4 nodes has 6 edges, got 5 operations"),
        ({"operations": ["nor_conv3x3"] * 6}, "Did you mean 'nor_conv_3x3'?"),
        ({"operations": [["none"]] * 6}, "one of none, skip_connect"),
        ({"nodes": 4}, "has only the keys kind, operations, version, got 'nodes'"),
    ],
)
def test_damaged_objects_are_refused_in_one_line(change, message):
    with pytest.raises(EncodingError) as caught:
        EdgeCell.from_json({**CELL.to_json(), **change})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
