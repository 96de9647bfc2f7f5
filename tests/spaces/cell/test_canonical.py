"""Canonical forms against a search through all orders of the nodes."""

import hashlib
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodl.errors import ConfigError
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.canonical import canonical_cell, canonical_pair
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import encode_text


def renamed(cell, order):
    """The same graph with node ``order[i]`` at place ``i``."""
    return Cell(
        tuple(cell.op_ids[node] for node in order),
        tuple(int(order[i] in cell.parents(order[j])) for j in range(cell.nodes) for i in range(j)),
    )


def orders_of_computation(cell):
    for order in permutations(range(cell.nodes)):
        place = {node: i for i, node in enumerate(order)}
        if all(place[p] < place[n] for n in range(cell.nodes) for p in cell.parents(n)):
            yield order


def random_order(cell, rng):
    """A random order in which every node comes after its parents."""
    order, left = [], list(range(cell.nodes))
    while left:
        ready = [n for n in left if not set(cell.parents(n)) & set(left)]
        order.append(ready[rng.integers(len(ready))])
        left.remove(order[-1])
    return order


@st.composite
def cells(draw, most_nodes):
    nodes = draw(st.integers(1, most_nodes))
    bits = nodes * (nodes - 1) // 2
    return Cell(
        tuple(draw(st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes))),
        tuple(draw(st.lists(st.integers(0, 1), min_size=bits, max_size=bits))),
    )


@given(cells(most_nodes=5))
def test_is_one_of_the_renamed_forms_and_the_same_for_all_of_them(cell):
    forms = {renamed(cell, order) for order in orders_of_computation(cell)}
    canonical = {canonical_cell(form) for form in forms}
    assert len(canonical) == 1
    assert canonical <= forms


@given(cells(most_nodes=24), st.integers(0, 2**32 - 1))
def test_renaming_changes_nothing_in_larger_cells(cell, seed):
    other = renamed(cell, random_order(cell, np.random.default_rng(seed)))
    assert canonical_cell(other) == canonical_cell(cell)


def test_small_cells_are_told_apart_exactly():
    """All 2-operation cells of 4 nodes: as many forms as a search through all orders finds."""
    space = CellSpace(nodes=4, operations=("conv_1x1", "conv_3x3"), tied=True)
    listed = list(space.architectures())
    by_search = {
        min(
            (f.op_ids, f.edges)
            for f in (renamed(p.normal, o) for o in orders_of_computation(p.normal))
        )
        for p in listed
    }
    assert len(by_search) == len(listed) == len(set(listed))


def test_a_pair_is_canonical_in_both_cells():
    pair = CellSpace(nodes=6).sample(np.random.default_rng(0))
    expected = CellPair(canonical_cell(pair.normal), canonical_cell(pair.reduction))
    assert canonical_pair(pair) == expected


@pytest.mark.parametrize("nodes", [20, 64])
def test_many_equal_nodes_are_no_trouble(nodes):
    """64 interchangeable nodes have 64! orders, of which only one is followed."""
    bits = nodes * (nodes - 1) // 2
    for cell in (Cell((1,) * nodes, (0,) * bits), Cell((1,) * nodes, (1,) * bits)):
        assert canonical_cell(cell) == cell


def test_a_space_too_large_to_list_is_refused_at_once():
    with pytest.raises(ConfigError, match="too large to list"):
        next(CellSpace(nodes=10).architectures())


def test_the_form_stays_what_it_is():
    """Stored keys hold it: with another one, results of earlier runs would not be found."""
    digest = hashlib.sha256()
    for nodes in (2, 5, 10):
        space = CellSpace(nodes=nodes, operations=("conv_1x1", "conv_3x3", "max_pool_3x3"))
        for seed in range(100):
            pair = canonical_pair(space.sample(np.random.default_rng(seed)))
            digest.update(encode_text(pair).encode())
    assert digest.hexdigest()[:16] == "da87d4881b87250a"
