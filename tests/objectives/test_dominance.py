"""Fronts, ranks and crowding against definitions written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autodl.objectives import dominance as pareto
from autodl.objectives.dominance import crowding, dominators, front, hypervolume, preference, ranks

tables = st.tuples(st.integers(0, 25), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 5).map(float))
)


def dominates(a, b):
    return bool((a >= b).all() and (a > b).any())


@given(tables)
def test_front_is_what_nothing_dominates(values):
    expected = [
        i for i, row in enumerate(values) if not any(dominates(other, row) for other in values)
    ]
    assert front(values).tolist() == expected


@given(tables)
def test_ranks_peel_fronts(values):
    got = ranks(values)
    for rank in range(len(values)):
        left = got >= rank
        members = np.flatnonzero(left)[front(values[left])]
        assert set(members) == set(np.flatnonzero(got == rank))


@given(tables)
def test_many_rows_are_ranked_like_few(values):
    expected = ranks(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto, "_FEW", 0)
        np.testing.assert_array_equal(ranks(values), expected)


@given(tables, st.randoms(use_true_random=False))
def test_the_front_is_its_own_front_whatever_the_order(values, random):
    members = front(values)
    assert front(values[members]).tolist() == list(range(len(members)))
    order = random.sample(range(len(values)), len(values))
    assert sorted(order[i] for i in front(values[order])) == members.tolist()


@given(tables)
def test_dominators_are_counted(values):
    expected = [sum(dominates(other, row) for other in values) for row in values]
    assert dominators(values).tolist() == expected


def test_nan_is_worse_than_everything():
    assert ranks(np.array([[np.nan, 1.0], [0.0, 1.0], [np.nan, np.nan]])).tolist() == [1, 0, 2]


def test_crowding_by_hand():
    """Neighbours of the middle points: (3 - 0) / 3 + (3 - 1) / 3 and (4 - 1)... in a line."""
    values = np.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0]])
    assert crowding(values).tolist() == [np.inf, 3 / 3 + 3 / 3, np.inf]
    assert crowding(np.array([[2.0, 2.0], [2.0, 2.0]])).tolist() == [0.0, 0.0]
    assert crowding(np.empty((0, 2))).tolist() == []


def test_preference_puts_rank_before_crowding():
    values = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 2.0], [2.1, 1.9], [3.0, 1.0]])
    order = preference(values).tolist()
    assert order[-1] == 0
    assert set(order[:2]) == {1, 4}


@given(
    arrays(
        np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.integers(0, 6).map(float)
    )
)
def test_hypervolume_counts_unit_squares(values):
    """On whole numbers the area is the number of unit squares below and left of some row."""
    squares = sum(
        any(row[0] > x and row[1] > y for row in values) for x in range(6) for y in range(6)
    )
    assert hypervolume(values, np.zeros(2)) == squares


@given(
    arrays(
        np.float64, st.tuples(st.integers(0, 8), st.just(3)), elements=st.integers(0, 4).map(float)
    )
)
def test_hypervolume_of_three_objectives_counts_unit_cubes(values):
    """On whole numbers, as above."""
    corners = np.indices((4, 4, 4)).reshape(3, -1).T
    cubes = sum((values > corner).all(axis=1).any() for corner in corners)
    assert hypervolume(values, np.zeros(3)) == cubes


def test_hypervolume_is_for_two_or_three_objectives():
    with pytest.raises(ValueError, match="2 or 3 objectives"):
        hypervolume(np.zeros((1, 4)), np.zeros(4))
