"""Candidates: all rows, or random ones and those around the best."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from autodl.strategies.surrogate.candidates import (
    Candidates,
    all_rows,
    distinct_rows,
    mutations,
    neighbours,
    random_rows,
)

SIZES = (3, 1, 2, 4)


def test_all_rows_are_the_product():
    assert all_rows(SIZES).tolist() == [list(row) for row in product(*map(range, SIZES))]


@pytest.mark.parametrize("sizes", [SIZES, (2,) * 62, (2,) * 63, (9,) * 40])
def test_distinct_rows_are_in_lexical_order(sizes):
    """Also where the rows of the space are more than int64 counts."""
    rng = np.random.default_rng(0)
    rows = random_rows(sizes, 50, rng)[rng.integers(50, size=200)]
    assert distinct_rows(rows, sizes).tolist() == np.unique(rows, axis=0).tolist()


def test_neighbours_are_all_rows_that_differ_in_one_decision():
    row = np.array([1, 0, 1, 2])
    expected = [one.tolist() for one in all_rows(SIZES) if (one != row).sum() == 1]
    assert sorted(neighbours(row, SIZES).tolist()) == sorted(expected)


def test_mutations_change_one_to_three_decisions_of_a_parent():
    parents = np.array([[0, 0, 0, 0], [2, 0, 1, 3]])
    found = mutations(parents, SIZES, 500, np.random.default_rng(0))
    changed = (found[:, None] != parents).sum(axis=2).min(axis=1)
    assert changed.max() <= 3
    assert ((found < np.array(SIZES)) & (found >= 0)).all()
    assert set(changed.tolist()) >= {1, 2}  # after three, it may be near to the other parent
    same = mutations(np.zeros((1, 2), np.int64), (1, 1), 5, np.random.default_rng(0))
    assert same.tolist() == [[0, 0]] * 5  # a space of one architecture


def test_of_a_large_space_they_are_drawn_and_around_the_best():
    sizes = (5,) * 8
    rng = np.random.default_rng(1)
    rows = random_rows(sizes, 20, rng)
    rewards = np.arange(20.0)
    maker = Candidates(sizes, listed=100, random=50, parents=2, mutated=30)
    assert not maker.complete
    found = {tuple(row) for row in maker(rows, rewards, rng).tolist()}
    around = [*neighbours(rows[19], sizes), *neighbours(rows[18], sizes)]
    assert found >= {tuple(row) for row in np.array(around).tolist()}
    assert 64 < len(found) <= 64 + 50 + 30
    assert Candidates(SIZES, listed=24, random=1, parents=1, mutated=0).complete
