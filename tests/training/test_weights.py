"""Weights in a file: read back exactly, or refused without a change."""

from __future__ import annotations

import json
import pickle
import struct

import numpy as np
import pytest
from safetensors.numpy import load, save

from autodl.errors import CheckpointError, StoreError
from autodl.training.weights import load_weights, save_weights


def values(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


@pytest.fixture
def saved(make_network, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(make_network(seed=1), path)
    return path


def test_what_is_saved_is_read_back(make_network, saved):
    network = make_network(seed=2)
    load_weights(network, saved)
    assert_same(values(network), values(make_network(seed=1)))


def test_the_file_holds_the_names_of_the_network_and_its_statistics(make_network, saved):
    names = load(saved.read_bytes()).keys()
    assert names == make_network().state_dict().keys()
    assert any(name.endswith("._mean") for name in names)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]  # nothing is left aside


def bfloat16(data):
    """A sound file of numbers that NumPy does not have."""
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def changed(change):
    def spoil(data):
        arrays = load(data)
        change(arrays)
        return save(arrays)

    return spoil


FIRST = "stem.weight"
SPOILT = {
    "empty": lambda data: b"",
    "truncated header": lambda data: data[:50],
    "truncated array": lambda data: data[:-1],
    "surplus bytes": lambda data: data + b"1",
    "header that never ends": lambda data: struct.pack("<Q", 2**60) + data[8:],
    "text": lambda data: b"weights: none\n" * 9,
    "pickle": lambda data: pickle.dumps({"stem.weight": 1}),
    "bfloat16": bfloat16,
    "missing array": changed(lambda arrays: arrays.pop(FIRST)),
    "surplus array": changed(lambda arrays: arrays.update(other=np.zeros(3, "f"))),
    "other shape": changed(lambda arrays: arrays.update({FIRST: np.zeros(3, "f")})),
    "other type": changed(lambda a: a.update({FIRST: a[FIRST].astype("f8")})),
    "whole numbers": changed(lambda a: a.update({FIRST: a[FIRST].astype("i4")})),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_a_file_that_does_not_fit_changes_nothing(make_network, saved, spoil):
    saved.write_bytes(spoil(saved.read_bytes()))
    network = make_network(seed=2)
    before = values(network)
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_same(values(network), before)


def test_a_file_that_is_not_there(make_network, tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        load_weights(make_network(), tmp_path / "weights.safetensors")


def test_a_folder_that_cannot_be_written(make_network, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write"):
        save_weights(make_network(), tmp_path / "file" / "weights.safetensors")
