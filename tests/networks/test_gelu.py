"""GELU in training against math.erf and Paddle's own."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
import paddle
import pytest

from autodl.networks import onednn
from autodl.networks.layers import make_layer
from autodl.networks.scoring import fast_scoring
from autodl.plans import layers as kinds


@pytest.mark.parametrize("there", [True, False], ids=["onednn", "paddle"])
@pytest.mark.parametrize("shape", [(3, 4, 5, 5), (19, 7)])
def test_values_and_gradients(there, shape, monkeypatch):
    """x P(x) and P(x) + x p(x) of the normal distribution, from -9 to 9.

    Both libraries evaluate polynomials in float32: 4e-7 off for values, measured.
    """
    if not there:
        monkeypatch.setattr(onednn, "available", lambda: False)
    layer, number = make_layer(kinds.Gelu()), int(np.prod(shape))
    values = np.linspace(-9, 9, number, dtype=np.float32)
    x = paddle.to_tensor(values.reshape(shape))
    x.stop_gradient = False
    y = layer(x)
    (gradient,) = paddle.grad([y], [x])
    below = [(1 + erf(v / sqrt(2))) / 2 for v in values.astype(float)]
    density = [exp(-v * v / 2) / sqrt(2 * pi) for v in values.astype(float)]
    np.testing.assert_allclose(y.numpy().ravel(), values * below, rtol=5e-7, atol=1e-6)
    np.testing.assert_allclose(gradient.numpy().ravel(), below + values * density, atol=1e-6)


def test_in_evaluation_it_is_paddles():
    layer, x = make_layer(kinds.Gelu()), paddle.randn([4, 3, 5, 5])
    layer.eval()
    expected = paddle.nn.functional.gelu(x).numpy()
    np.testing.assert_array_equal(layer(x).numpy(), expected)


def test_in_scoring_it_is_that_of_training():
    layer, x = make_layer(kinds.Gelu()), paddle.randn([4, 3, 5, 5])
    trained = layer(x).numpy()
    layer.eval()
    with fast_scoring():
        np.testing.assert_array_equal(layer(x).numpy(), trained)


@pytest.mark.parametrize("shape", [[], [4, 0], [0, 3]])
def test_scalars_and_empty_ones(shape):
    x = paddle.ones(shape)
    assert make_layer(kinds.Gelu())(x).shape == shape
