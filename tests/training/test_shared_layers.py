"""Two processes' layers, one after the other, against Paddle's on the batch of both.

What a process would hear from the other one is worked out beforehand, so that no process has to
be started; tools/test_train_launched.py has them talk to each other.
"""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.training.parallel import ALONE, Share
from autodl.training.shared_layers import (
    SharedBatchNorm,
    SharedDropout,
    moments,
    share_layers,
)

SIZE = 2


class Told:
    """A share to which the others' answers are given in advance; it keeps what was said."""

    def __init__(self, rank, gathered=None, mean=None):
        self.rank, self.size = rank, SIZE
        self._gathered, self._mean = gathered, mean
        self.said = None

    def gather(self, value):
        np.testing.assert_array_equal(value.numpy(), self._gathered[self.rank].numpy())
        return self._gathered

    def mean(self, value):
        self.said = value
        return value if self._mean is None else self._mean


class Shifted(nn.BatchNorm2D):
    """A subclass that does something more, as re-parameterised networks have it."""

    def forward(self, x):
        return super().forward(x) + 1.0


def numbers(*shape, seed=0, offset=0.0):
    values = np.random.default_rng(seed).normal(size=shape) + offset
    return paddle.to_tensor(values.astype("float32"))


def make(kind, share=None, **options):
    """A batch-norm with scales and shifts that matter."""
    layer = kind(3, momentum=0.8, epsilon=1e-3, **options)
    if options.get("weight_attr") is not False:
        layer.weight.set_value(numbers(3, seed=1))
        layer.bias.set_value(numbers(3, seed=2))
    if share is not None:
        share_layers(layer, share)
    return layer


def run(layer, x, gradient):
    x = x.detach()
    x.stop_gradient = False
    y = layer(x)
    y.backward(gradient)
    return y, x.grad


@pytest.mark.parametrize("kind", [nn.BatchNorm2D, Shifted])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_batch_norm_of_two_processes_is_that_of_their_common_batch(kind, offset):
    x, gradient = numbers(8, 3, 5, 4, offset=offset), numbers(8, 3, 5, 4, seed=3)
    x[4:] += 2.0  # the processes' own means differ
    whole = make(kind)
    y, to_x = run(whole, x, gradient / SIZE)  # a process's loss is the mean over its own part

    halves = [slice(0, 4), slice(4, 8)]
    gathered = paddle.stack([paddle.stack(moments(x[half])) for half in halves])
    said = []
    for rank, half in enumerate(halves):
        share = Told(rank, gathered)
        run(make(kind, share), x[half], gradient[half])
        said.append(share.said)
    layers = [make(kind, Told(rank, gathered, (said[0] + said[1]) / SIZE)) for rank in range(SIZE)]
    parts = [
        run(layer, x[half], gradient[half]) for layer, half in zip(layers, halves, strict=True)
    ]

    # float32, and 1e-7 times the offset where a mean is taken off
    close = {"rtol": 1e-5, "atol": 2e-6 * (1 + offset)}
    np.testing.assert_allclose(np.concatenate([part[0] for part in parts]), y, **close)
    # the gradients of both processes' losses: their mean is that of the common one
    np.testing.assert_allclose(np.concatenate([part[1] for part in parts]) / SIZE, to_x, **close)
    for name in ("weight", "bias"):
        own = [getattr(layer, name).grad.numpy() for layer in layers]
        np.testing.assert_allclose(
            (own[0] + own[1]) / SIZE, getattr(whole, name).grad, rtol=1e-5, atol=1e-5 * (1 + offset)
        )
    for layer in layers:
        np.testing.assert_allclose(layer._mean, whole._mean, rtol=1e-6)
        np.testing.assert_allclose(layer._variance, whole._variance, rtol=1e-5)


def test_batch_norm_keeps_what_it_is():
    layer = make(Shifted)
    before = {name: value.data_ptr() for name, value in layer.state_dict().items()}
    share_layers(layer, Told(0))
    assert isinstance(layer, Shifted)
    assert isinstance(layer, SharedBatchNorm)
    assert {name: value.data_ptr() for name, value in layer.state_dict().items()} == before
    x = numbers(2, 3, 4, 4)
    layer.eval()
    plain = make(Shifted)
    plain.eval()
    np.testing.assert_array_equal(layer(x).numpy(), plain(x).numpy())  # nothing is asked


def test_batch_norm_without_weights_or_gradient_of_its_input():
    x = numbers(4, 3, 5, 5)
    gathered = paddle.stack([paddle.stack(moments(x))] * SIZE)
    layer = make(nn.BatchNorm2D, Told(0, gathered), weight_attr=False, bias_attr=False)
    plain = make(nn.BatchNorm2D, weight_attr=False, bias_attr=False)
    np.testing.assert_allclose(layer(x).numpy(), plain(x).numpy(), rtol=1e-5, atol=1e-6)
    _, to_x = run(layer, x, numbers(4, 3, 5, 5, seed=3))
    # both processes have these pictures: as if there were one
    np.testing.assert_allclose(
        to_x, run(plain, x, numbers(4, 3, 5, 5, seed=3))[1], rtol=1e-5, atol=1e-6
    )
    make(nn.BatchNorm2D, Told(0, gathered))(x).sum().backward()  # only weights have gradients


def test_moments_are_the_population_s():
    x = numbers(7, 3, 5, 4, offset=30.0)
    mean, variance = moments(x)
    exact = x.numpy().astype("float64")
    # float32 sums of 140 numbers around 30
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var(axis=(0, 2, 3)), rtol=1e-4)
    assert mean.stop_gradient
    assert variance.stop_gradient


@pytest.mark.parametrize("mode", ["upscale_in_train", "downscale_in_infer"])
def test_dropout_of_two_processes_is_that_of_their_common_batch(mode):
    x = numbers(6, 50)
    paddle.seed(5)
    whole = nn.Dropout(0.3, mode=mode)
    expected = whole(x)
    parts = []
    for rank in range(SIZE):
        layer = nn.Sequential(nn.Dropout(0.3, mode=mode))
        share_layers(layer, Told(rank))
        assert isinstance(layer[0], SharedDropout)
        paddle.seed(5)
        parts.append(layer(x[3 * rank : 3 * rank + 3]))
    # Paddle divides by 0.7, here is a product with 1 / 0.7
    np.testing.assert_allclose(np.concatenate(parts), expected.numpy(), rtol=2e-7)
    layer.eval()
    whole.eval()
    np.testing.assert_array_equal(layer(x).numpy(), whole(x).numpy())


def test_alone_no_layer_is_touched():
    network = nn.Sequential(nn.BatchNorm2D(3), nn.Dropout(0.5), nn.ReLU())
    share_layers(network, ALONE)
    assert [type(layer) for layer in network] == [nn.BatchNorm2D, nn.Dropout, nn.ReLU]
    share_layers(network, Share(0, 2))
    assert type(network[2]) is nn.ReLU
