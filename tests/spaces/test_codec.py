"""Architectures in JSON files, and files that hold something else."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from autodl.errors import EncodingError
from autodl.spaces import codec
from autodl.spaces.catalogue import ARCHITECTURES
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import (
    decode_architecture,
    decode_text,
    encode_text,
    load_architecture,
    register_architecture,
    save_architecture,
)
from autodl.spaces.operations import operation_names


@pytest.fixture
def architecture():
    return CellSpace(nodes=5, operations=operation_names()).sample(np.random.default_rng(0))


def test_files_round_trip(tmp_path, architecture):
    path = tmp_path / "architecture.json"
    save_architecture(architecture, path)
    assert load_architecture(path) == architecture
    assert load_architecture(str(path)) == architecture
    assert [file.name for file in tmp_path.iterdir()] == ["architecture.json"]
    assert json.loads(path.read_text()) == architecture.to_json()


def test_texts_are_canonical(architecture):
    text = encode_text(architecture)
    assert decode_text(text) == architecture
    assert " " not in text
    shuffled = json.dumps(dict(reversed(architecture.to_json().items())), indent=3)
    assert shuffled != text
    assert encode_text(decode_text(shuffled)) == text


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("kind: cell_pair", "not JSON"),
        ("\ufeff{}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ('{"kind": ' + "1" * 5000 + "}", "not JSON"),
        ("[" * 400 + "]" * 400, "an architecture is a JSON object"),
        ("null", "an architecture is a JSON object"),
        ("[]", "an architecture is a JSON object"),
        ("NaN", "an architecture is a JSON object"),
        ("{}", r"with a 'kind' \(cell_pair, chain, edge_cell, fixed, genotype, mobile"),
        ('{"kind": 1}', "with a 'kind'"),
        ('{"kind": ["cell_pair"]}', "with a 'kind'"),
        ('{"kind": "cellpair"}', "unknown architecture kind 'cellpair'. Did you mean 'cell_pair'"),
        ('{"kind": "cell_pair"}', "version 1, got None"),
        ('{"kind": "cell_pair", "version": ' + "[" * 400 + "]" * 400 + "}", "version 1, got"),
        (json.dumps({"kind": "z" * 9999}), "unknown architecture kind 'zz"),
    ],
)
def test_other_texts_are_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    for attempt in (lambda: decode_text(text), lambda: load_architecture(path)):
        with pytest.raises(EncodingError, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    assert str(path) in str(caught.value)


def test_every_depth_around_the_recursion_limit_is_an_encoding_error():
    for depth in range(900, 1010):
        for inner in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            for text in (inner, f'{{"kind": "cell_pair", "version": 1, "normal": {inner}}}'):
                with pytest.raises(EncodingError):
                    decode_text(text)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80abc", b"PK\x03\x04\xff\xff"])
def test_a_file_that_is_not_text(tmp_path, content):
    path = tmp_path / "picture.json"
    path.write_bytes(content)
    with pytest.raises(EncodingError, match=r"cannot read the architecture .*picture\.json"):
        load_architecture(path)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(EncodingError, match="cannot read the architecture"):
            load_architecture(path)


@dataclass(frozen=True)
class Depth:
    layers: int

    def to_json(self):
        return {"kind": "depth", "version": 1, "layers": self.layers}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_kind_of_the_catalogue_reads_its_own(kind):
    with pytest.raises(EncodingError, match="version"):
        decode_architecture({"kind": kind, "version": 99})


def test_a_plugin_can_add_a_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(codec, "_DECODERS", dict(codec._DECODERS))
    register_architecture("depth", lambda value: Depth(value["layers"]))
    save_architecture(Depth(3), tmp_path / "depth.json")
    assert load_architecture(tmp_path / "depth.json") == Depth(3)
    assert decode_architecture({"kind": "depth", "version": 1, "layers": 4}) == Depth(4)
    with pytest.raises(ValueError, match="'depth' exists already"):
        register_architecture("depth", lambda value: Depth(0))
