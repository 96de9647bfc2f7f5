"""Optimiser state under stable names: taken, restored, and continued from."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer

MAKE = {
    "adam": lambda p: paddle.optimizer.Adam(0.1, parameters=p),
    "momentum": lambda p: paddle.optimizer.Momentum(0.1, 0.9, parameters=p, use_nesterov=True),
    "sgd": lambda p: paddle.optimizer.SGD(0.1, parameters=p),
}


def make(kind, seed=0):
    paddle.seed(seed)
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    return network, MAKE[kind](network.parameters())


def steps(network, optimizer, count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        network(
            paddle.to_tensor(rng.normal(size=(5, 3)).astype("float32"))
        ).square().sum().backward()
        optimizer.step()
        optimizer.clear_grad()


def named(network):
    return dict(network.named_parameters())


def weights(network):
    return {name: value.numpy() for name, value in named(network).items()}


def move(network, optimizer, network2, optimizer2):
    for name, value in named(network2).items():
        value.set_value(named(network)[name])
    restore_optimizer(optimizer2, named(network2), optimizer_arrays(optimizer, named(network)))


@pytest.mark.parametrize("kind", list(MAKE))
@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("used", [0, 2])
def test_a_restored_optimiser_goes_on_bit_for_bit(kind, before, used):
    network, optimizer = make(kind)
    steps(network, optimizer, before)
    other, restored = make(kind, seed=1)
    steps(other, restored, used, seed=9)
    move(network, optimizer, other, restored)
    steps(network, optimizer, 3, seed=5)
    steps(other, restored, 3, seed=5)
    for name, value in weights(network).items():
        np.testing.assert_array_equal(value, weights(other)[name])


@pytest.mark.parametrize("kind", ["adam", "momentum"])
def test_a_second_optimiser_of_the_same_network(kind):
    """Paddle numbers its slots by how many there were: names must not depend on that."""
    network, first = make(kind)
    steps(network, first, 2)
    state = optimizer_arrays(first, named(network))
    start = weights(network)
    steps(network, first, 2, seed=5)
    expected = weights(network)
    second = MAKE[kind](network.parameters())
    for name, value in named(network).items():
        value.set_value(start[name])
    restore_optimizer(second, named(network), state)
    assert optimizer_arrays(second, named(network)).keys() == state.keys()
    steps(network, second, 2, seed=5)
    for name, value in weights(network).items():
        np.testing.assert_array_equal(value, expected[name])


def test_names_are_the_networks_own():
    network, optimizer = make("momentum")
    assert optimizer_arrays(optimizer, named(network)) == {}
    steps(network, optimizer, 1)
    found = optimizer_arrays(optimizer, named(network))
    assert sorted(found) == [
        "0.bias|velocity", "0.weight|velocity", "1.bias|velocity", "1.weight|velocity",
    ]  # fmt: skip
    before = {key: value.copy() for key, value in found.items()}
    steps(network, optimizer, 1)
    for key, value in found.items():  # copies, not views of live tensors
        np.testing.assert_array_equal(value, before[key])


def test_foreign_arrays_are_refused():
    network, optimizer = make("momentum")
    with pytest.raises(KeyError, match=r"5\.weight"):
        restore_optimizer(optimizer, named(network), {"5.weight|velocity": np.zeros((3, 4), "f")})
