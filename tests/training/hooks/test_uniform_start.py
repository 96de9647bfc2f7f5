"""First weights from a uniform distribution: its bounds, its variance, and its seed."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.sections import NoOptions
from autodl.networks.layers import Convolution
from autodl.training.hooks.uniform_start import UniformStart


def started(seed):
    paddle.seed(0)
    network = nn.Sequential(Convolution(8, 64, 3, groups=2), nn.Linear(100, 30))
    UniformStart(SimpleNamespace(network=network, seed=seed), NoOptions())
    return network


def test_bounds_and_variance():
    """Bound 1 / sqrt(inputs), variance 1 / (3 inputs); a group of the convolution has 4 x 9."""
    convolution, linear = started(0)
    for weight, inputs in ((convolution.weight, 36), (linear.weight, 100)):
        values = weight.numpy()
        assert np.abs(values).max() <= inputs**-0.5
        # 2304 and 3000 draws: three deviations of the sample variance are 6 %
        assert abs(values.var() * 3 * inputs - 1) < 0.06
    assert (convolution.bias.numpy() == 0).all()
    assert (linear.bias.numpy() == 0).all()


def test_the_seed_says_what_is_drawn():
    one, same, other = (started(seed)[0].weight.numpy() for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize(
    "said",
    [
        {"whiten": True, "hooks": ({"name": "UniformStart"},)},
        {"hooks": ({"name": "Whitening"}, {"name": "UniformStart"})},
    ],
)
def test_a_whitened_convolution_stays_so(make_airbench, said):
    """Its kernels come in pairs of opposite sign; other layers are drawn."""
    network = make_airbench(**said).network
    first = network.layer("whitening.conv").weight
    np.testing.assert_array_equal(first.numpy()[1::2], -first.numpy()[::2])
    assert first.stop_gradient
    head = network.layer("head.classifier").weight
    assert np.abs(head.numpy()).max() <= head.shape[0] ** -0.5
