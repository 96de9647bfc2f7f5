"""The layout's promises, over random cells."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodl.drawing.layout import BOX_GAP, INPUT, LANE_GAP, cell_edges, lay_out
from autodl.spaces.cell.architecture import MAX_NODES, Cell

ROUNDING = 1e-9  # places are sums of some hundred float64 of at most 100 inches


@st.composite
def cells(draw: st.DrawFn, largest: int = 20) -> Cell:
    nodes = draw(st.integers(1, largest))
    pairs = nodes * (nodes - 1) // 2
    edges = draw(st.lists(st.integers(0, 1), min_size=pairs, max_size=pairs))
    return Cell((0,) * nodes, tuple(edges))


@settings(max_examples=25, deadline=None)
@given(cells())
def test_every_edge_goes_down_and_stops_in_every_layer_on_its_way(cell):
    layout = lay_out(cell)
    assert set(layout.routes) == set(cell_edges(cell))
    for (source, target), stops in layout.routes.items():
        assert (stops[0].vertex, stops[-1].vertex) == (source, target)
        assert not stops[0].lane
        assert not stops[-1].lane
        assert all(stop.lane for stop in stops[1:-1])
        assert all(b.layer == a.layer + 1 for a, b in itertools.pairwise(stops))


@settings(max_examples=25, deadline=None)
@given(cells())
def test_nothing_overlaps_so_no_lane_runs_through_a_box(cell):
    layout = lay_out(cell, box_width=1.3)
    for row in layout.rows:
        for left, right in itertools.pairwise(row):
            between = (
                layout.centres[right]
                - layout.centres[left]
                - (layout.breadth(left) + layout.breadth(right)) / 2
            )
            gap = LANE_GAP if left.lane or right.lane else BOX_GAP
            assert between >= gap - ROUNDING
    outer = [layout.centres[stop] - layout.breadth(stop) / 2 for stop in layout.centres]
    assert min(outer) == pytest.approx(0, abs=ROUNDING)


@settings(max_examples=25, deadline=None)
@given(cells())
def test_every_node_has_one_box_between_input_and_output(cell):
    layout = lay_out(cell)
    boxes = [stop for row in layout.rows for stop in row if not stop.lane]
    assert sorted(stop.vertex for stop in boxes) == [INPUT, *range(cell.nodes), cell.nodes]
    assert [stop.vertex for stop in layout.rows[0]] == [INPUT]
    assert [stop.vertex for stop in layout.rows[-1]] == [cell.nodes]
    widest = max(sum(not stop.lane for stop in row) for row in layout.rows)
    assert widest <= max(4, round(cell.nodes**0.5 + 0.5))


def test_edges_with_input_and_output():
    cell = Cell((0, 0, 0), (0, 1, 0))  # 2 reads 0; 1 is alone
    assert set(cell_edges(cell)) == {(INPUT, 0), (INPUT, 1), (0, 2), (1, 3), (2, 3)}


def test_a_chain_is_a_straight_line():
    chain = Cell((0,) * 5, tuple(int(i == j - 1) for j in range(5) for i in range(j)))
    layout = lay_out(chain)
    assert [len(row) for row in layout.rows] == [1] * 7
    assert len(set(layout.centres.values())) == 1


def test_edges_of_one_source_share_their_lanes():
    """0 is read by 1, 2 and 3 of a chain: one lane of 0 passes layer 2 and layer 3."""
    cell = Cell((0,) * 4, (1, 1, 1, 1, 0, 1))
    lanes = [stop for row in lay_out(cell).rows for stop in row if stop.lane]
    assert [(stop.layer, stop.vertex) for stop in lanes] == [(2, 0), (3, 0)]


def test_barycentre_sweeps_undo_crossings():
    """Two pairs that the order of their ids would cross: 2 reads 1, 3 reads 0."""
    layout = lay_out(Cell((0,) * 4, (0, 0, 1, 1, 0, 0)))
    (first, second), (third, fourth) = layout.rows[1], layout.rows[2]
    readers = {0: 3, 1: 2}
    assert (third.vertex, fourth.vertex) == (readers[first.vertex], readers[second.vertex])


@pytest.mark.parametrize("bit", [0, 1])
def test_largest_cells_are_laid_out(bit):
    cell = Cell((0,) * MAX_NODES, (bit,) * (MAX_NODES * (MAX_NODES - 1) // 2))
    layout = lay_out(cell)
    assert len(layout.routes) == len(cell_edges(cell))
    assert layout.width < 30  # eight boxes side by side are 14 inches; twice that, rows drift
