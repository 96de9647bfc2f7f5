"""Convolutions that start as the identity: what comes out is what went in."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.networks.layers import Convolution
from autodl.training.hooks.dirac_start import DiracStart


def start(*layers):
    network = nn.Sequential(*layers)
    DiracStart(
        SimpleNamespace(network=network, recipe=SimpleNamespace(section="Train")), NoOptions()
    )
    return network


@pytest.mark.parametrize("inputs, outputs, size", [(3, 5, 3), (5, 3, 3), (4, 4, 5), (2, 3, 1)])
def test_first_outputs_are_the_inputs(inputs, outputs, size):
    layer = Convolution(inputs, outputs, size, padding=size // 2, bias_attr=False)
    drawn = layer.weight.numpy()
    start(layer)
    x, same = paddle.randn([2, inputs, 6, 6]), min(inputs, outputs)
    np.testing.assert_array_equal(layer(x).numpy()[:, :same], x.numpy()[:, :same])
    np.testing.assert_array_equal(layer.weight.numpy()[same:], drawn[same:])


def test_even_grouped_and_frozen_kernels_stay():
    even, grouped, frozen = (
        Convolution(3, 3, 2),
        Convolution(4, 4, 3, groups=2),
        Convolution(2, 2, 3),
    )
    frozen.weight.stop_gradient = True
    kept = [layer.weight.numpy() for layer in (even, grouped, frozen)]
    start(Convolution(3, 3, 3), even, grouped, frozen)
    for layer, weight in zip((even, grouped, frozen), kept, strict=True):
        np.testing.assert_array_equal(layer.weight.numpy(), weight)


def test_a_network_without_any_is_refused():
    with pytest.raises(ConfigError, match=r"DiracStart of Train\.hooks is for networks with odd"):
        start(nn.Linear(2, 2))
