"""Ways through a cell: counted by hand, and the same for twins."""

from __future__ import annotations

import numpy as np

from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.space import Branched, Pathed

SPACE = EdgeCellSpace()
NONE, SKIP, SMALL, LARGE, POOL = range(5)


def counts(*codes):
    """Column -> count, for a row of codes in the order 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
    (row,) = SPACE.path_counts(np.array([codes]))
    return {column: row[column] for column in np.flatnonzero(row).tolist()}


def test_ways_by_hand():
    assert isinstance(SPACE, Pathed)
    # 1x1 is digit 1, 3x3 is 2, the pool is 3, to the base 4
    assert counts(SMALL, NONE, LARGE, SKIP, NONE, POOL) == {0: 1, 1 * 16 + 2 * 4 + 3: 1}
    assert counts(SKIP, SKIP, SKIP, SKIP, SKIP, SKIP) == {0: 4}
    assert counts(LARGE, LARGE, NONE, NONE, SMALL, SMALL) == {2 * 4 + 1: 2}
    assert counts(NONE, NONE, NONE, NONE, NONE, NONE) == {}


def test_swapping_the_inner_nodes_where_they_are_not_joined_changes_nothing():
    rows = np.random.default_rng(0).integers(5, size=(50, 6))
    rows[:, 2] = NONE
    swapped = rows[:, [1, 0, 2, 3, 5, 4]]
    assert (SPACE.path_counts(rows) == SPACE.path_counts(swapped)).all()


def test_twins_have_the_same_ways():
    """By the published rule: 300 random cells and the first of their twins.

    That rule keeps a sum of several ``#`` apart from ``#``, which is no matter for ways.
    """
    rows = np.random.default_rng(1).integers(5, size=(300, 6))
    first = [SPACE.encode(SPACE.canonical(SPACE.decode(row))) for row in rows]
    assert (SPACE.path_counts(rows) == SPACE.path_counts(np.array(first))).all()


def test_a_space_of_some_operations_has_its_own_columns():
    space = EdgeCellSpace(("skip_connect", "nor_conv_3x3"))
    assert space.path_counts(np.array([[1, 0, 1, 0, 1, 0]])).shape == (1, 8)
    assert EdgeCellSpace(("none",)).path_counts(np.zeros((2, 6), np.int64)).tolist() == [[0], [0]]


def test_ways_through_each_edge():
    """By a search in depth over the graph, for 200 random cells."""
    assert isinstance(SPACE, Branched)
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]

    def walks(row, node):
        if node == 3:
            yield ()
        for edge, (source, end) in enumerate(edges):
            if source == node and row[edge] != NONE:
                yield from ((edge, *rest) for rest in walks(row, end))

    rows = np.random.default_rng(2).integers(5, size=(200, 6))
    for row, counted in zip(rows, SPACE.ways_through(rows), strict=True):
        wanted = np.bincount([edge for walk in walks(row, 0) for edge in walk], minlength=6)
        assert counted.tolist() == wanted.tolist()
    whole = SPACE.ways_through(np.full((1, 6), LARGE))
    assert whole.tolist() == [[2, 1, 1, 1, 1, 2]]
    assert len(list(walks(np.full(6, LARGE), 0))) == 4
