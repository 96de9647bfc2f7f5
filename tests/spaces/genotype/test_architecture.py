"""Genotypes: what is valid, their JSON, and the published ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodl.errors import EncodingError, UnknownNameError
from autodl.spaces.codec import decode_architecture, decode_text, encode_text
from autodl.spaces.genotype.architecture import (
    OPERATIONS,
    Genotype,
    GenotypeCell,
    published_genotype,
    published_genotypes,
)

SMALL = GenotypeCell((("skip_connect", 0), ("max_pool_3x3", 1)), (2,))


@st.composite
def cells(draw):
    nodes = draw(st.integers(1, 5))
    edges = tuple(
        (draw(st.sampled_from(OPERATIONS)), draw(st.integers(0, number // 2 + 1)))
        for number in range(2 * nodes)
    )
    unread = set(range(2, nodes + 2)) - {node for _, node in edges}
    more = draw(st.sets(st.integers(2, nodes + 1)))
    return GenotypeCell(edges, tuple(draw(st.permutations(sorted(unread | more)))))


@given(cells(), cells())
def test_json_round_trip(normal, reduce):
    genotype = Genotype(normal, reduce)
    assert decode_text(encode_text(genotype)) == genotype
    assert hash(Genotype.from_json(genotype.to_json())) == hash(genotype)
    assert normal.nodes == len(normal.edges) // 2


def test_json_has_the_keys_of_darts():
    value = Genotype(SMALL, SMALL).to_json()
    assert value == {
        "kind": "genotype",
        "version": 1,
        "normal": [["skip_connect", 0], ["max_pool_3x3", 1]],
        "normal_concat": [2],
        "reduce": [["skip_connect", 0], ["max_pool_3x3", 1]],
        "reduce_concat": [2],
    }
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "edges, concat, message",
    [
        ((), (2,), "two edges each, got 0"),
        ((("skip_connect", 0),), (2,), "two edges each, got 1"),
        ((("skip_conect", 0), SMALL.edges[1]), (2,), "Did you mean 'skip_connect'"),
        ((("skip_connect", 2), SMALL.edges[1]), (2,), "node 2 and can read nodes 0 to 1, got 2"),
        ((("skip_connect", -1), SMALL.edges[1]), (2,), "can read nodes 0 to 1, got -1"),
        ((("skip_connect", True), SMALL.edges[1]), (2,), "can read nodes 0 to 1, got True"),
        (SMALL.edges, (), "one node or more"),
        (SMALL.edges, (1,), "made of nodes 2 to 2, got 1"),
        (SMALL.edges, (3,), "made of nodes 2 to 2, got 3"),
        (SMALL.edges, ("2",), "made of nodes 2 to 2, got '2'"),
        (SMALL.edges, (2, 2), "each once"),
        (SMALL.edges * 2, (3,), "nothing reads node 2"),
    ],
)
def test_impossible_cells_are_refused(edges, concat, message):
    with pytest.raises(EncodingError, match=message) as caught:
        GenotypeCell(edges, concat)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 2}, "version 1, got 2"),
        ({"kind": "fixed"}, "expected kind 'genotype', got 'fixed'"),
        ({"more": 1}, "got 'more'"),
        ({"normal": None}, "are lists, got None"),
        ({"reduce_concat": {}}, "reduce and reduce_concat are lists"),
        ({"reduce": [["skip_connect", 0], "skip"]}, "an edge of reduce is"),
        ({"reduce": [["skip_connect", 0], [[], 0]]}, "an edge of reduce is"),
        ({"reduce": [["skip_connect", 0], ["none", 0]]}, "reduce: unknown operation 'none'"),
        ({"normal": [["skip_connect", 0], ["skip_connect", []]]}, r"normal: edge 1 .* got \[\]"),
        ({"normal_concat": [[2]]}, "normal: the output is made of"),
    ],
)
def test_foreign_json_is_refused(change, message):
    value = Genotype(SMALL, SMALL).to_json() | change
    with pytest.raises(EncodingError, match=message) as caught:
        Genotype.from_json(value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    value = Genotype(SMALL, SMALL).to_json()
    del value["normal_concat"]
    with pytest.raises(EncodingError, match="has no 'normal_concat'"):
        decode_architecture(value)


def test_published_genotypes():
    table = published_genotypes()
    assert list(table) == [
        *("DARTS_V1", "DARTS_V2", "NASNet-A", "AmoebaNet-A", "PNASNet-5", "ENAS", "GDAS", "SETN"),
        *("LRC_0", "LRC_1", "LRC_2"),
    ]
    for published in table.values():
        assert published.source
        assert decode_text(encode_text(published.genotype)) == published.genotype
    nodes = {name: published.genotype.normal.nodes for name, published in table.items()}
    assert {name for name, number in nodes.items() if number == 5} == {
        *("NASNet-A", "AmoebaNet-A", "PNASNet-5", "ENAS")
    }
    assert set(nodes.values()) == {4, 5}


def test_darts_v2_as_published():
    """Liu et al., ICLR 2019, figures 4 and 5."""
    genotype = published_genotype("DARTS_V2")
    assert genotype.normal.edges[-1] == ("dil_conv_3x3", 2)
    assert genotype.reduce.edges[:2] == (("max_pool_3x3", 0), ("max_pool_3x3", 1))
    assert genotype.normal.concat == genotype.reduce.concat == (2, 3, 4, 5)


@pytest.mark.parametrize(
    "name, meant", [("DARTS-V2", "DARTS_V2"), ("NASNet", "NASNet-A"), ("lrc_0", "LRC_0")]
)
def test_an_unknown_name(name, meant):
    with pytest.raises(UnknownNameError, match="unknown genotype") as caught:
        published_genotype(name)
    assert "Known: AmoebaNet-A, DARTS_V1" in str(caught.value)
    if name != "lrc_0":  # difflib tells capitals apart
        assert f"Did you mean '{meant}'?" in str(caught.value)
