"""Cells: the encoding of the original, round trips, and everything that is refused."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodl.errors import EncodingError
from autodl.spaces.cell.architecture import MAX_NODES, Cell, CellPair
from autodl.spaces.operations import operation_names

OPERATIONS = len(operation_names())


@st.composite
def encodings(draw):
    """``(tokens, adjvec)`` of a pair of 1 to 64 nodes; large ones from a drawn seed."""
    nodes = draw(st.integers(1, MAX_NODES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tokens = rng.integers(OPERATIONS, size=2 * nodes)
    return tokens.tolist(), rng.integers(2, size=nodes * (nodes - 1)).tolist()


@given(encodings())
@settings(max_examples=100, deadline=None)
def test_tokens_and_json_round_trip(encoding):
    tokens, adjvec = encoding
    pair = CellPair.from_tokens(tokens, adjvec)
    assert pair.to_tokens() == (tokens, adjvec)
    again = CellPair.from_json(pair.to_json())
    assert again == pair
    assert hash(again) == hash(pair)
    assert CellPair.from_tokens(np.array(tokens), np.array(adjvec, np.int8)) == pair


@given(encodings())
@settings(max_examples=50, deadline=None)
def test_parents_and_loose_ends_against_an_adjacency_matrix(encoding):
    tokens, adjvec = encoding
    nodes = len(tokens) // 2
    half = len(adjvec) // 2
    pair = CellPair.from_tokens(tokens, adjvec)
    for cell, ids, bits in [
        (pair.normal, tokens[:nodes], adjvec[:half]),
        (pair.reduction, tokens[nodes:], adjvec[half:]),
    ]:
        reads = np.zeros((nodes, nodes), bool)  # reads[i, j]: node j reads node i
        take = iter(bits)
        for j in range(nodes):
            for i in range(j):
                reads[i, j] = next(take)
        assert cell.nodes == nodes
        assert list(cell.op_ids) == ids
        assert cell.operations == tuple(operation_names()[number] for number in ids)
        for j in range(nodes):
            assert cell.parents(j) == tuple(np.flatnonzero(reads[:, j]))
        assert cell.loose_ends() == tuple(np.flatnonzero(~reads.any(axis=1)))
        assert cell.loose_ends()[-1] == nodes - 1  # nobody comes after the last one


def test_values_are_frozen_and_plain():
    pair = CellPair.from_tokens(np.array([1, 2, 3, 4]), np.array([1, 0]))
    assert pair.normal == Cell((1, 2), (1,))
    assert all(type(v) is int for v in (*pair.normal.op_ids, *pair.normal.edges))
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.normal.op_ids = (0, 0)
    tokens, _ = pair.to_tokens()
    tokens[0] = 9
    assert pair.to_tokens()[0][0] == 1


@pytest.mark.parametrize(
    "ids, edges, message",
    [
        ((), (), "1 to 64 nodes, got 0"),
        ((0,) * 65, (0,) * (65 * 32), "1 to 64 nodes, got 65"),
        ((0, 1), (), "2 nodes has 1 edge bits, got 0"),
        ((0,), (1,), "1 nodes has 0 edge bits, got 1"),
        ((0, 1), (2,), "must be 0 or 1, got 2"),
        ((0, 1), (-1,), "must be 0 or 1, got -1"),
        ((0, -1), (0,), "ids go from 0 to"),
        ((0, OPERATIONS + 99), (0,), "ids go from 0 to"),
        ((0, 1.0), (0,), "operation ids must be integers, got 1.0"),
        ((0, True), (0,), "operation ids must be integers, got True"),
        ((0, "1"), (0,), "operation ids must be integers, got '1'"),
        ((0, None), (0,), "operation ids must be integers, got None"),
        ((0, 1), (float("nan"),), "edge bits must be integers, got nan"),
        ((0, 1), (False,), "edge bits must be integers, got False"),
    ],
)
def test_bad_cells(ids, edges, message):
    with pytest.raises(EncodingError, match=message):
        Cell(ids, edges)


@pytest.mark.parametrize(
    "tokens, adjvec, message",
    [
        ([], [], "an even number; got 0"),
        ([1, 2, 3], [], "an even number; got 3"),
        ([1, 2, 3, 4], [1], "2 nodes have 2 edge bits, got 1"),
        ([1, 2, 3, 4], [1, 0, 1], "2 nodes have 2 edge bits, got 3"),
        ([1, 2, 3, 4.5], [1, 0], "tokens must be integers, got 4.5"),
    ],
)
def test_bad_tokens(tokens, adjvec, message):
    with pytest.raises(EncodingError, match=message):
        CellPair.from_tokens(tokens, adjvec)


def test_cells_of_a_pair_are_equally_large():
    with pytest.raises(EncodingError, match="same number of nodes, got 1 and 2"):
        CellPair(Cell((0,), ()), Cell((0, 0), (1,)))


GOOD = CellPair.from_tokens([1, 2, 3, 4, 5, 6], [1, 0, 1, 1, 1, 0]).to_json()


def test_json_has_names_and_a_version():
    assert GOOD == {
        "kind": "cell_pair",
        "version": 1,
        "normal": {
            "operations": ["conv_3x3", "conv_5x5", "dil_conv_3x3"],
            "edges": [1, 0, 1],
        },
        "reduction": {
            "operations": ["conv_1x3_3x1", "conv_1x5_5x1", "max_pool_3x3"],
            "edges": [1, 1, 0],
        },
    }


@pytest.mark.parametrize(
    "path, value, message",
    [
        (["version"], 2, "version 1, got 2; a newer release may"),
        (["version"], "1", "version 1, got '1'"),
        (["version"], True, "version 1, got True"),
        (["version"], 1.0, "version 1, got 1.0"),
        (["version"], [[["deep"]]], "version 1, got"),
        (["version"], ..., "version 1, got None"),
        (["normal"], ..., "a cell_pair has no 'normal'"),
        (["normal"], [1], r"the normal cell must be an object, got \[1\]"),
        (["reduction"], None, "the reduction cell must be an object, got None"),
        (["extra"], 1, "only the keys .* got 'extra'"),
        (["normal", "operations"], ..., "the normal cell has no 'operations'"),
        (["normal", "edges"], ..., "the normal cell has no 'edges'"),
        (["normal", "nodes"], 3, "the normal cell has only the keys edges, operations"),
        (["normal", "operations"], "conv_3x3", "must be a list of names"),
        (["normal", "operations"], [1, 2, 3], "must be a list of names"),
        (["normal", "operations"], [], "the normal cell: a cell has 1 to 64 nodes, got 0"),
        (["normal", "operations", 1], "conv3x3", "the normal cell: .*Did you mean 'conv_3x3'"),
        (["reduction", "operations", 0], "x" * 9999, "the reduction cell: unknown operation"),
        (["normal", "edges"], {"0": 1}, "edges must be a list of bits"),
        (["normal", "edges"], [1, 0], "3 nodes has 3 edge bits, got 2"),
        (["normal", "edges"], [1, 0, 1, 1], "3 nodes has 3 edge bits, got 4"),
        (["reduction", "edges", 2], 2, "the reduction cell: edge bits must be 0 or 1, got 2"),
        (["reduction", "edges", 2], 0.0, "edge bits must be integers, got 0.0"),
        (["reduction", "edges", 2], "0" * 9999, "edge bits must be integers, got '0"),
        (["normal", "edges"], list(range(9999)), "3 nodes has 3 edge bits, got 9999"),
    ],
)
def test_bad_json(path, value, message):
    """``...`` removes the key. Every message is one short line."""
    document = copy.deepcopy(GOOD)
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(EncodingError, match=message) as caught:
        CellPair.from_json(document)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600  # the list of known operations is the longest part
