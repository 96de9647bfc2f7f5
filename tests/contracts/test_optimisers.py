"""What every optimiser of the catalogue keeps to: a new one has a line here and nothing else."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.components import make_part, table
from autodl.networks.layers import Convolution
from autodl.system.state import decode_state, encode_state
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer

# options without decay, and a rate with which 300 steps bring a quadratic below a thousandth
OPTIMISERS = {
    "SGD": ({"weight_decay": 0.0}, 0.02),
    "AdamW": ({"weight_decay": 0.0}, 0.05),
    "Muon": ({"weight_decay": 0.0}, 0.02),
}


def test_every_optimiser_is_held_to_this():
    assert set(OPTIMISERS) == set(table("Optimiser"))


class Half(nn.Layer):
    """A convolution, of pictures of one pixel, and a linear layer."""

    def __init__(self, inputs):
        super().__init__()
        self.kernel, self.linear = Convolution(inputs, inputs, 1), nn.Linear(inputs, 2)

    def forward(self, x):
        return self.linear(self.kernel(x.unsqueeze([2, 3])).flatten(1))


class Line(nn.Layer):
    """Two halves, of which only the first takes part unless both are asked for."""

    def __init__(self):
        super().__init__()
        paddle.seed(0)
        self.first, self.second = Half(3), Half(2)

    def forward(self, x, both=True):
        return self.second(self.first(x)) if both else self.first(x)


def make(name, network, rate=None, **changes):
    options, usual = OPTIMISERS[name]
    part = make_part("Optimiser", {"name": name, **options, **changes})
    return part.factory()(network, usual if rate is None else rate, part.options)


def values(network):
    return {name: value.numpy() for name, value in network.named_parameters()}


def update(network, optimizer, seed=0, scale=1.0, **how):
    x = np.random.default_rng(seed).normal(size=(8, 3)).astype("float32")
    (scale * network(paddle.to_tensor(x), **how)).square().mean().backward()
    optimizer.step()
    optimizer.clear_grad(set_to_zero=False)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_it_converges_on_a_quadratic(name):
    """Of condition 10: from 1 to below a thousandth of the start."""
    layer = nn.Linear(4, 1, bias_attr=False)
    layer.weight.set_value(paddle.ones([4, 1]))
    optimizer = make(name, layer)
    curvature = paddle.to_tensor([[10.0], [4.0], [2.0], [1.0]])
    losses = []
    for _ in range(300):
        loss = (curvature * layer.weight.square()).sum()
        losses.append(float(loss))
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    assert losses[-1] < 1e-3 * losses[0]


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("before", [0, 3])
def test_it_goes_on_from_its_state_bit_for_bit(name, before):
    network, other = Line(), Line()
    optimizer, restored = make(name, network), make(name, other)
    for step in range(before):
        update(network, optimizer, step)
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        two.set_value(one)
    arrays = optimizer_arrays(optimizer, dict(network.named_parameters()))
    state = decode_state(encode_state(arrays))
    restore_optimizer(restored, dict(other.named_parameters()), state)
    for step in range(3):
        update(network, optimizer, 10 + step)
        update(other, restored, 10 + step)
    for key, value in values(network).items():
        np.testing.assert_array_equal(value, values(other)[key], err_msg=key)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_weights_that_took_no_part_stay(name):
    """Those that no gradient reached, as of a supernet's other paths: no step and no decay."""
    network = Line()
    optimizer = make(name, network, weight_decay=0.5)
    update(network, optimizer)  # all take part: there is a momentum
    before = values(network)
    update(network, optimizer, both=False)
    after = values(network)
    for key, value in after.items():
        assert (value == before[key]).all() == key.startswith("second")


@pytest.mark.parametrize("name", OPTIMISERS)
def test_weights_decay_and_biases_do_not(name):
    """Without gradient a weight shrinks by rate times decay, 0.1 * 0.5; kernels of Muon do not."""
    network = Line()
    for parameter in network.parameters():
        parameter.set_value(paddle.full_like(parameter, 2.0))
    optimizer = make(name, network, rate=0.1, weight_decay=0.5)
    update(network, optimizer, scale=0.0)
    # Nesterov's look ahead counts the first gradient 1 + momentum times
    factor = 1 - 0.1 * 0.5 * {"SGD": 1.9, "Muon": 1.85}.get(name, 1)
    for key, value in values(network).items():
        expected = 2.0 if key.endswith("bias") else 2.0 * factor
        if name == "Muon" and key.endswith("kernel.weight"):  # of the norm sqrt(O), O by O, not 2 O
            expected = value.shape[0] ** -0.5
        np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=key)  # float32


@pytest.mark.parametrize("name", OPTIMISERS)
def test_gradients_are_clipped_by_their_global_norm(name):
    """Gradients of any size above the limit make the same step."""
    moved = []
    for scale in (10.0, 1000.0):
        network = Line()
        before = values(network)
        update(network, make(name, network, gradient_clip=0.1), scale=scale)
        moved.append({key: value - before[key] for key, value in values(network).items()})
    for key, one in moved[0].items():
        # float32: of differences that are some hundredths of their values
        np.testing.assert_allclose(one, moved[1][key], rtol=1e-3, atol=1e-6, err_msg=key)
    assert any(np.abs(value).max() > 1e-5 for value in moved[0].values())
