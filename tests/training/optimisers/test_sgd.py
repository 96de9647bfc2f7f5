"""SGD whose shifts learn faster: the update by NumPy, and what an earlier optimiser leaves."""

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.components import make_part
from autodl.reparam.repvgg import RepVGGBlock


def make(network, rate=0.1, **options):
    part = make_part("Optimiser", {"name": "SGD", **options})
    return part.factory()(network, rate, part.options)


@pytest.mark.parametrize("decay_biases", [False, True])
def test_two_updates_by_numpy(decay_biases):
    """A shift: 64 times the rate, and a 64th of the L2, so the same share is taken off it."""
    paddle.seed(0)
    network = nn.Sequential(nn.Conv2D(2, 3, 1), nn.BatchNorm2D(3))
    network[1].bias.set_value(paddle.to_tensor([1.0, -2.0, 3.0]))
    network[0].bias.set_value(paddle.to_tensor([1.0, 1.0, 0.5]))
    own = {"shift_rate": 64.0, "decay_biases": decay_biases}
    optimizer = make(network, momentum=0.85, weight_decay=0.01, **own)
    named = {n: p for n, p in network.named_parameters() if not p.stop_gradient}
    assert set(named) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    factor = {"1.bias": 64.0}
    decay = {"0.weight": 0.01, "1.weight": 0.01, "1.bias": 0.01 / 64, "0.bias": 0.01 * decay_biases}
    values = {name: value.numpy().astype(np.float64) for name, value in named.items()}
    velocity = dict.fromkeys(values, 0.0)
    rng = np.random.default_rng(0)
    for _ in range(2):
        for name, parameter in named.items():
            gradient = rng.normal(size=parameter.shape)
            parameter.grad = paddle.to_tensor(gradient.astype(np.float32))
            gradient = gradient + decay[name] * values[name]
            velocity[name] = 0.85 * velocity[name] + gradient
            step = gradient + 0.85 * velocity[name]
            values[name] = values[name] - 0.1 * factor.get(name, 1.0) * step
        optimizer.step()
        optimizer.clear_grad(set_to_zero=False)
    for name, value in values.items():
        # float32; the shift moves by up to 30
        np.testing.assert_allclose(named[name].numpy(), value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("shift_rate", [1.0, 64.0])
def test_what_a_layer_says_of_its_decay_holds(shift_rate):
    """RepVGG's blocks free their shifts and two of three scales; kernels and the rest decay."""
    block = RepVGGBlock(4, 4)
    for _ in range(2):  # a second training of the same network, too
        optimizer = make(block, weight_decay=0.5, momentum=0.0, shift_rate=shift_rate)
    for _, parameter in block.named_parameters():
        if not parameter.stop_gradient:
            parameter.set_value(paddle.ones_like(parameter))
            parameter.grad = paddle.zeros_like(parameter)
    optimizer.step()
    moved = {
        name
        for name, value in block.named_parameters()
        if not value.stop_gradient and (value.numpy() != 1).any()
    }
    assert moved == {"dense.0.weight", "point.0.weight", "identity.weight"}


def test_what_an_earlier_optimiser_marked_is_forgotten():
    network = nn.Sequential(nn.Conv2D(2, 3, 1), nn.BatchNorm2D(3))
    make(network, shift_rate=64.0)
    make(network)
    shift = network[1].bias
    assert shift.optimize_attr["learning_rate"] == 1.0
    assert shift.regularizer is None
