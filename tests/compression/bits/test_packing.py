"""Packed files: bit for bit, as large as the formula says, and refused when anything is wrong."""

import numpy as np
import pytest

from autodl.compression.bits.levels import Levels, uniform_levels
from autodl.compression.bits.packing import (
    Rounded,
    load_packed,
    pack_indices,
    save_packed,
    storage_bits,
    unpack_indices,
)
from autodl.compression.errors import CompressionError
from autodl.errors import CheckpointError, StoreError
from autodl.training.weights import save_weights


def network_like(seed=0):
    rng = np.random.default_rng(seed)
    conv, linear = (rng.normal(size=shape).astype("float32") for shape in ((32, 16, 3, 3), (64, 7)))
    return {
        "conv.weight": Rounded.of(conv, Levels.codebook(rng.normal(size=5))),
        "norm.weight": rng.normal(size=32).astype("float32"),
        "kept.weight": rng.normal(size=(4, 3)).astype("float32"),
        "linear.weight": Rounded.of(linear, uniform_levels(linear, 4)),
        "constant.weight": Rounded.of(np.full((3, 3), 0.5, "float32"), Levels.codebook([0.5])),
        "linear.bias": rng.normal(size=7).astype("float32"),
    }


def shapes_of(tensors):
    return {
        name: value.indices.shape if isinstance(value, Rounded) else value.shape
        for name, value in tensors.items()
    }


@pytest.fixture
def packed(tmp_path):
    save_packed(tmp_path / "packed.safetensors", network_like())
    return tmp_path / "packed.safetensors"


@pytest.mark.parametrize("bits", [0, 1, 2, 3, 5, 8, 11, 16])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 1001])
def test_indices_there_and_back(bits, count):
    indices = np.random.default_rng(bits).integers(2**bits, size=count)
    stream = pack_indices(indices, bits)
    assert len(stream) == -(-count * bits // 8)
    np.testing.assert_array_equal(unpack_indices(stream, count, bits), indices)


def test_same_tensors_make_the_same_file(packed, tmp_path):
    for number in range(5):
        save_packed(tmp_path / str(number), network_like())
        assert (tmp_path / str(number)).read_bytes() == packed.read_bytes()


def test_order_of_bits():
    """Three indices of 3 bits, lowest bit first: 1 = 100, 2 = 010, 7 = 111."""
    assert pack_indices(np.array([1, 2, 7]), 3).tolist() == [0b11010001, 0b1]


def test_files_load_bit_for_bit(packed):
    tensors = network_like()
    loaded = load_packed(packed, shapes_of(tensors))
    assert list(loaded) == list(tensors)
    for name, value in tensors.items():
        found = loaded[name]
        if isinstance(value, Rounded):
            np.testing.assert_array_equal(found.weights, value.weights)
            assert found.weights.dtype == np.float32
            assert found.levels.bits == value.levels.bits
        else:
            np.testing.assert_array_equal(found, value)


def test_size_is_that_of_the_formula(tmp_path):
    """Within 1 %, for a network of 46,000 weights at 3 bits, smaller than ResNet-20 of width 8."""
    rng = np.random.default_rng(0)
    tensors = {}
    for layer in range(20):
        weights = rng.normal(size=(16, 16, 3, 3)).astype("float32")
        tensors[f"stage1.block{layer}.conv.weight"] = Rounded.of(
            weights, Levels.codebook(rng.normal(size=8))
        )
        for name in ("weight", "bias", "_mean", "_variance"):
            tensors[f"stage1.block{layer}.norm.{name}"] = rng.normal(size=16).astype("float32")
    by_hand = 20 * (16 * 16 * 9 * 3 + 32 * 8 + 4 * 16 * 32)
    assert storage_bits(tensors) == by_hand
    save_packed(tmp_path / "packed", tensors)
    assert (tmp_path / "packed").stat().st_size == pytest.approx(by_hand / 8, rel=0.01)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_files_cut_short_are_refused(packed, keep):
    content = packed.read_bytes()
    packed.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CheckpointError, match="cannot read the packed weights"):
        load_packed(packed, shapes_of(network_like()))


def test_altered_files_are_refused(packed):
    """A flipped bit anywhere behind the header."""
    content = packed.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    for place in (begin, (begin + len(content)) // 2, len(content) - 1):
        spoilt = bytearray(content)
        spoilt[place] ^= 1
        packed.write_bytes(spoilt)
        with pytest.raises(CheckpointError, match="altered, or of another network"):
            load_packed(packed, shapes_of(network_like()))


def test_other_networks_and_files_are_refused(packed, tmp_path):
    shapes = shapes_of(network_like())
    for other in (
        {**shapes, "norm.weight": (8, 4)},
        {name.replace("norm", "norm2"): shape for name, shape in shapes.items()},
        dict(list(shapes.items())[:-1]),
    ):
        with pytest.raises(CheckpointError, match="of another network"):
            load_packed(packed, other)
    with pytest.raises(CheckpointError, match="No such file"):
        load_packed(tmp_path / "missing", shapes)
    from paddle import nn

    save_weights(nn.Linear(2, 2), tmp_path / "weights")
    with pytest.raises(CheckpointError, match="no packed file"):
        load_packed(tmp_path / "weights", shapes)


def test_nothing_is_overwritten(packed):
    before = packed.read_bytes()
    with pytest.raises(StoreError, match="is there already and stays as it is"):
        save_packed(packed, network_like(1))
    assert packed.read_bytes() == before


@pytest.mark.parametrize(
    "work, said",
    [
        (lambda: pack_indices(np.array([4]), 2), "indices of 2 bits are 0 to 3, got 4 to 4"),
        (lambda: pack_indices(np.array([-1]), 2), "got -1 to -1"),
        (lambda: pack_indices(np.array([0]), 17), "0 to 16, got 17"),
        (lambda: unpack_indices(np.zeros(4, np.uint8), 9, 2), "are 3 bytes, got 4"),
        (lambda: unpack_indices(np.zeros(1, np.uint8), 1, -1), "0 to 16, got -1"),
    ],
)
def test_bits_out_of_range(work, said):
    with pytest.raises(CompressionError, match=said):
        work()


def test_other_numbers_are_refused(tmp_path):
    with pytest.raises(CompressionError, match="holds float64"):
        save_packed(tmp_path / "packed", {"a": np.zeros(3)})
    assert not list(tmp_path.iterdir())
