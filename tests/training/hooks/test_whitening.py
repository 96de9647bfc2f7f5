"""The whitened first layer: decorrelated outputs, frozen weights, and what is refused."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Flatten, GlobalAvgPool, Linear
from autodl.plans.plan import PlanBuilder
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.training.hooks.whitening import whiten, whitening_kernels


def images(count=6, side=12):
    """Smooth colour noise, whose neighbouring pixels are alike, as those of photographs."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(count, 3, side + 4, side + 4))
    windows = np.lib.stride_tricks.sliding_window_view(noise, (5, 5), axis=(2, 3))
    return windows.mean(axis=(4, 5)).astype(np.float32) + 0.1 * noise[:, :, 2:-2, 2:-2].astype(
        np.float32
    )


def test_outputs_are_uncorrelated_with_variance_one():
    """E y_i y_j = v / (v + 5e-4) on the diagonal, 0 elsewhere; float32 sums of 1,000 patches."""
    pictures = images()
    kernels = whitening_kernels(pictures, (3, 3), 54)
    assert kernels.shape == (54, 3, 3, 3)
    assert (kernels[1::2] == -kernels[::2]).all()
    outputs = F.conv2d(paddle.to_tensor(pictures), paddle.to_tensor(kernels[::2])).numpy()
    flat = outputs.transpose(1, 0, 2, 3).reshape(27, -1).astype(np.float64)
    moments = flat @ flat.T / flat.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (3, 3), axis=(2, 3))
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 27).astype(np.float64)
    values = np.linalg.eigvalsh(patches.T @ patches / len(patches))[::-1]
    np.testing.assert_allclose(np.diag(moments), values / (values + 5e-4), rtol=1e-3)
    np.testing.assert_allclose(moments - np.diag(np.diag(moments)), 0, atol=1e-3)


def test_fewer_kernels_are_those_of_most_variance():
    few, all_of_them = (whitening_kernels(images(), (2, 2), count) for count in (7, 99))
    assert len(all_of_them) == 24
    assert (few == all_of_them[:7]).all()


def test_the_first_convolution_is_given_them_and_frozen(pictures, normalisation):
    network = PlanNetwork(cifar_quick_plan(image_size=16), seed=0)
    before = network.layer("stage0.conv").weight.numpy()
    whiten(network, pictures, normalisation)
    weight = network.layer("stage0.conv").weight
    assert weight.stop_gradient
    assert (weight.numpy() != before).any()
    expected = whitening_kernels(normalisation.normalise(pictures.images), (5, 5), 32)
    assert (weight.numpy() == expected).all()


@pytest.mark.parametrize("count", [4000, 3998, 5998])
def test_every_class_is_looked_at_where_pictures_are_sorted(count):
    """As those of folders are: dark ones here, then noise. 2,000 of them, evenly."""
    rng = np.random.default_rng(0)
    images = np.zeros((count, 6, 6, 3), np.uint8)
    images[count // 2 :] = rng.integers(0, 256, (count // 2, 6, 6, 3))
    network = PlanNetwork(cifar_quick_plan(image_size=16), seed=0)
    plain = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    whiten(network, Pictures(images, np.repeat([0, 1], count // 2)), plain)
    some = images[np.floor(np.linspace(0, count, 2000, endpoint=False)).astype(int)]
    assert some.reshape(2000, -1).any(axis=1).sum() == 1000
    expected = whitening_kernels(plain.normalise(some), (5, 5), 32)
    assert (network.layer("stage0.conv").weight.numpy() == expected).all()


def test_a_network_that_begins_with_something_else(pictures, normalisation):
    builder = PlanBuilder((3, 8, 8))
    flat = builder.add("flat", Flatten(), builder.add("pool", GlobalAvgPool(), 0))
    builder.add("classifier", Linear(3, 4), flat)
    with pytest.raises(ConfigError, match="pool is GlobalAvgPool"):
        whiten(PlanNetwork(builder.finish()), pictures, normalisation)


def test_a_supernet_is_refused_by_the_key_to_set(pictures, normalisation):
    said = (
        r"one plan, this is a Sequential; use Train\.whiten=false, .* Train\.recipe\.whiten=false"
    )
    with pytest.raises(ConfigError, match=said):
        whiten(nn.Sequential(nn.Conv2D(3, 24, 2)), pictures, normalisation)


def test_a_bias_that_is_trained_for_some_epochs(make_airbench):
    """It moves in the first two of three epochs, and then keeps still; kernels never move."""
    trainer, seen = make_airbench(hooks=({"name": "Whitening", "bias_epochs": 2},)), []
    first = trainer.network.layer("whitening.conv")
    kernels = first.weight.numpy()
    trainer.fit(lambda trainer: seen.append(first.bias.numpy()))
    assert (seen[0] != 0).any()
    assert (seen[1] != seen[0]).any()
    assert (seen[2] == seen[1]).all()
    assert (first.weight.numpy() == kernels).all()
    np.testing.assert_array_equal(kernels[1::2], -kernels[::2])
    assert len(kernels) == 24
