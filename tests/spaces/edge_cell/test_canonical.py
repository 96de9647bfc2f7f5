"""Cells that are the same network: the published rule, its counts and its classes."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from autodl.spaces.edge_cell.architecture import OPERATIONS, EdgeCell
from autodl.spaces.edge_cell.canonical import expression, first_of_twins
from autodl.spaces.edge_cell.space import EdgeCellSpace

NONE, SKIP, CONV_1, CONV_3, POOL = OPERATIONS


def test_the_published_number_of_different_cells():
    """Dong and Yang, 2020: 6,466 of 15,625 are unique."""
    twins = first_of_twins(tuple(sorted(OPERATIONS)))
    assert (len(twins), len(set(twins.values()))) == (15625, 6466)


@pytest.mark.parametrize(
    "one, other",
    [
        # behind a zeroised edge, whatever stands on the edges that leave its node is the same
        ((NONE, CONV_3, CONV_1, SKIP, POOL, SKIP), (NONE, CONV_3, NONE, SKIP, NONE, SKIP)),
        # a skip connection hands on what it gets: node 1 is the input
        ((SKIP, NONE, CONV_3, NONE, NONE, SKIP), (NONE, CONV_3, NONE, NONE, NONE, SKIP)),
        ((SKIP, NONE, NONE, POOL, SKIP, NONE), (SKIP, NONE, NONE, SKIP, POOL, NONE)),
    ],
)
def test_cells_that_are_written_differently(one, other):
    assert expression(one) == expression(other)
    space = EdgeCellSpace()
    assert space.canonical(EdgeCell(one)) == space.canonical(EdgeCell(other))


def test_a_node_used_twice_is_not_the_node_used_once():
    assert expression((SKIP, NONE, NONE, CONV_3, CONV_3, NONE)) != expression(
        (SKIP, NONE, NONE, CONV_3, NONE, NONE)
    )


def test_twins_compute_the_same_and_others_of_linear_operations_do_not():
    """Operations as numbers that their input is multiplied with; a cell is then one number."""
    numbers = {NONE: 0.0, SKIP: 1.0, CONV_1: 2**0.5, CONV_3: 3**0.5, POOL: 5**0.5}

    def value(cell):
        e01, e02, e12, e03, e13, e23 = (numbers[name] for name in cell)
        second = e02 + e12 * e01
        return e03 + e13 * e01 + e23 * second

    values = {}
    for cell in product(OPERATIONS, repeat=6):
        values.setdefault(expression(cell), []).append(value(cell))
    assert all(np.ptp(found) < 1e-9 for found in values.values())  # float64 sums of six numbers


def test_a_smaller_space_stays_in_itself():
    space = EdgeCellSpace((CONV_3, POOL))
    rng = np.random.default_rng(0)
    for _ in range(50):
        form = space.canonical(space.sample(rng))
        assert space.check(form) == space.canonical(form)


def test_the_classes_are_those_of_the_published_table():
    path = Path(os.environ.get("AUTODL_TABLES", "tables")) / "nas_bench_201.npz"
    if not path.exists():
        pytest.skip(f"no {path}; AUTODL_TABLES names the folder of the published tables")
    with np.load(path) as file:
        rows, unique = file["ops"], file["unique"].tolist()
    texts = [expression(tuple(OPERATIONS[code] for code in row)) for row in rows]
    assert len(set(texts)) == len(set(unique)) == len(set(zip(texts, unique, strict=True)))
