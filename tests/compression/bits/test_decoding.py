"""A network that holds packed weights: same outputs, same weights, few bytes in a file."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.compression.bits.decoding import PackedWeight, decoding_network
from autodl.compression.bits.levels import Levels
from autodl.compression.bits.packing import Rounded
from autodl.compression.errors import CompressionError
from autodl.networks.inference import InferenceEngine, save_inference

TABLE = paddle.to_tensor((np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint8))


def levels_of(bits, even):
    if even:
        return Levels.even(-0.3, 0.07, bits)
    return Levels.codebook(np.random.default_rng(bits).normal(size=2**bits), bits)


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("bits", [0, 1, 2, 3, 5, 8, 11, 16])
@pytest.mark.parametrize("shape", [(3, 5), (4, 3, 3, 3)])
def test_weights_are_those_of_the_levels(bits, even, shape):
    packed = Rounded(levels_of(bits, even), np.random.default_rng(7).integers(2**bits, size=shape))
    found = PackedWeight(packed, TABLE)().numpy()
    assert found.dtype == np.float32
    # a codebook is looked up; a grid is computed, perhaps with one rounding less than NumPy
    np.testing.assert_allclose(found, packed.weights, rtol=0, atol=4e-7 * 2**bits if even else 0)


def rounded_network():
    paddle.seed(1)
    network = nn.Sequential(
        nn.Conv2D(3, 16, 3, padding=1),
        nn.BatchNorm2D(16),
        nn.ReLU(),
        nn.Conv2D(16, 16, 3, stride=2, padding=1, groups=4, bias_attr=False),
        nn.ReLU(),
        nn.Conv2D(16, 64, 3, padding="SAME", dilation=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2D(1),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.Linear(32, 5),
    )
    network.eval()
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    for path, bits, even in (("3", 3, False), ("5", 2, True), ("9", 4, False)):
        weight = tensors[f"{path}.weight"]
        values = np.linspace(weight.min(), weight.max(), 2**bits)
        step = values[1] - values[0]
        levels = Levels.even(values[0], step, bits) if even else Levels.codebook(values)
        tensors[f"{path}.weight"] = Rounded.of(weight, levels)
        network[int(path)].weight.set_value(tensors[f"{path}.weight"].weights)
    return network, tensors


def test_the_network_computes_the_same_and_is_small_in_a_file(tmp_path):
    network, tensors = rounded_network()
    decoding = decoding_network(network, tensors)
    x = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    known = network(paddle.to_tensor(x)).numpy()
    # float32, the same operations; a step of the grid may be one rounding off
    np.testing.assert_allclose(decoding(paddle.to_tensor(x)).numpy(), known, rtol=0, atol=1e-6)
    sizes = {}
    for name, own in (("float", network), ("packed", decoding)):
        (tmp_path / name).mkdir()
        files = save_inference(own, tmp_path / name / "inference", (3, 16, 16))
        found = InferenceEngine(tmp_path / name, *files, (3, 16, 16))(x)
        np.testing.assert_allclose(found, known, rtol=0, atol=1e-5)  # oneDNN sums otherwise
        sizes[name] = (tmp_path / name / files[1]).stat().st_size
    rounded = [value for value in tensors.values() if isinstance(value, Rounded)]
    saved = sum(4 * r.indices.size - r.levels.storage_bits(r.indices.size) / 8 for r in rounded)
    # the table of bits, and a header of 40 bytes or so for each of three tensors of a layer
    assert sizes["packed"] <= sizes["float"] - saved + 256 * 8 + 3 * 3 * 64


def test_weights_that_were_trained_on_are_refused():
    network, tensors = rounded_network()
    network[9].weight.set_value(network[9].weight + 1e-3)
    with pytest.raises(CompressionError, match=r"9\.weight is not what was packed"):
        decoding_network(network, tensors)
