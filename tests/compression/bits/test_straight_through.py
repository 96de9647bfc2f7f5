"""Rounded forward passes, gradients that pass through, and nothing left behind."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.compression.bits.levels import Levels
from autodl.compression.bits.rounded_layers import weights_of
from autodl.compression.bits.straight_through import rounded_forward

LEVELS = Levels.codebook([-0.5, 0.0, 0.25, 0.5])


@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients_are_those_of_rounded_weights(training):
    """The gradient is the rounded network's, at the weights as they are (to float32 rounding)."""
    paddle.seed(0)
    layer, twin = (nn.Conv2D(3, 4, 3) for _ in range(2))
    own = weights_of(layer)
    twin.weight.set_value(LEVELS.rounded(own))
    twin.bias.set_value(layer.bias.numpy())
    x = paddle.randn([2, 3, 6, 6])
    network = nn.Sequential(layer)
    network.train() if training else network.eval()
    with rounded_forward({"0": layer}, {"0": LEVELS}):
        found = network(x)
        F.relu(found).sum().backward()
    expected = twin(x)
    F.relu(expected).sum().backward()
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(layer.weight.grad.numpy(), twin.weight.grad.numpy(), atol=1e-5)
    np.testing.assert_array_equal(weights_of(layer), own)


def test_nothing_is_left_behind():
    layer = nn.Linear(4, 4)
    weight, before = layer.weight, layer(paddle.ones([1, 4])).numpy()
    with pytest.raises(ZeroDivisionError), rounded_forward({"a": layer}, {"a": LEVELS}):
        raise ZeroDivisionError
    assert layer.weight is weight
    np.testing.assert_array_equal(layer(paddle.ones([1, 4])).numpy(), before)
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_an_optimiser_moves_the_hidden_weights():
    """Steps far smaller than a level add up until the rounding changes."""
    layer = nn.Linear(1, 1, bias_attr=False)
    layer.weight.set_value(np.float32([[0.1]]))
    optimizer = paddle.optimizer.SGD(0.01, parameters=layer.parameters())
    outputs = []
    with rounded_forward({"a": layer}, {"a": LEVELS}):
        for _ in range(5):
            out = layer(paddle.ones([1, 1]))
            outputs.append(out.numpy()[0, 0])
            (-out).sum().backward()
            optimizer.step()
            optimizer.clear_grad()
    assert outputs == [0.0, 0.0, 0.0, 0.25, 0.25]
