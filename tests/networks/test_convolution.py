"""Convolutions train as Paddle's do, by oneDNN and where there is none."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.networks import convolution, onednn
from autodl.networks.layers import is_convolution, make_layer
from autodl.networks.network import PlanNetwork
from autodl.networks.precision import mixed_precision
from autodl.networks.scoring import fast_scoring
from autodl.plans import layers as kinds
from autodl.plans.plan import PlanBuilder


@pytest.fixture(params=["onednn", "paddle"])
def way(request, monkeypatch):
    """Both ways to compute it; the first one where this Paddle has it."""
    if request.param == "paddle":
        monkeypatch.setattr(onednn, "available", lambda: False)
    elif not onednn.available():
        pytest.skip("this Paddle brings no oneDNN along")
    return request.param


def _outcomes(layer, shape):
    """Outputs and gradients in training and, by Paddle's own, in evaluation."""
    found = []
    for training in (True, False):
        layer.train() if training else layer.eval()
        x = paddle.to_tensor(np.random.default_rng(0).standard_normal(shape, "float32"))
        x.stop_gradient = False
        y = layer(x)
        gradients = paddle.grad([(y * y).sum()], [x, *layer.parameters()])
        found.append([y.numpy(), *(g.numpy() for g in gradients)])
    return found


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "kernel, stride, padding",
    [
        ((3, 3), 1, (1, 1, 1, 1)),
        ((5, 5), 1, (2, 2, 2, 2)),
        ((3, 3), 1, (0, 0, 0, 0)),
        ((2, 2), 1, (1, 1, 1, 1)),
        ((3, 3), 1, (3, 3, 3, 3)),  # wider than the kernel can turn
        ((3, 3), 1, (0, 1, 0, 1)),
        ((3, 3), 1, (2, 0, 1, 3)),
        ((3, 3), 2, (1, 1, 1, 1)),
        ((1, 1), 1, (0, 0, 0, 0)),
        ((3, 1), 1, (1, 1, 0, 0)),
    ],
)
def test_a_convolution_trains_as_paddles_does(kernel, stride, padding, bias, way):
    layer = make_layer(kinds.Conv(3, 5, kernel, (stride, stride), padding, bias=bias))
    if bias:
        layer.bias.set_value(paddle.randn([5]))
    assert is_convolution(layer)
    trained, plain = _outcomes(layer, (4, 3, 9, 7))
    # gradients are sums of up to 572 products, in another order: float32 rounding
    for ours, paddles in zip(trained, plain, strict=True):
        np.testing.assert_allclose(ours, paddles, rtol=2e-6, atol=5e-5)
    if way == "paddle":
        np.testing.assert_array_equal(trained[0], plain[0])


@pytest.mark.parametrize("batch", [1, 16, 35])
def test_batches_of_whole_parts_and_of_a_rest(batch, way):
    """35 is twice 16 and a rest of 3; dilated, and with channels that are no multiples of 8."""
    layer = make_layer(kinds.Conv(10, 12, (3, 3), (1, 1), (2, 2, 2, 2), dilation=(2, 2)))
    trained, plain = _outcomes(layer, (batch, 10, 8, 8))
    for ours, paddles in zip(trained, plain, strict=True):
        # float32 rounding of sums of up to 2240 products, against the largest of them
        bound = 5e-6 * np.abs(paddles).max()
        np.testing.assert_allclose(ours, paddles, rtol=0, atol=bound)


def test_maps_need_not_lie_in_rows(way):
    """Every second channel, and gradients that are a view too."""
    layer = make_layer(kinds.Conv(4, 6, (3, 3), (1, 1), (1, 1, 1, 1), bias=False))
    wide = paddle.randn([3, 8, 6, 6])
    found, expected = [], []
    for x, into in ((wide[:, ::2], found), (wide[:, ::2].clone().contiguous(), expected)):
        x.stop_gradient = False
        y = layer(x).transpose([0, 2, 3, 1])
        gradients = paddle.grad([y], [x, layer.weight], [paddle.ones(y.shape).cumsum(axis=3)])
        into.extend([y.numpy(), *(g.numpy() for g in gradients)])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("groups", [1, 2])
def test_which_convolutions_onednn_computes(dtype, groups):
    """Those of float32 that are not cut into groups; the others are Paddle's."""
    layer = make_layer(kinds.Conv(8, 8, (3, 3), groups=groups)).to(dtype=dtype)
    found = layer._compiled(paddle.ones([2, 8, 5, 5], dtype), reduced=False)
    suited = dtype == "float32" and groups == 1 and onednn.available()
    assert (found is not None) == suited
    assert layer(paddle.ones([2, 8, 5, 5], dtype)).dtype == getattr(paddle, dtype)


@pytest.mark.parametrize("bias", [True, False])
def test_in_scoring_it_is_that_of_training_in_float32(bias, way, monkeypatch):
    """Without a gradient, whatever the precision; outside Paddle's own to the last bit."""
    layer, x = make_layer(kinds.Conv(16, 16, (3, 3), bias=bias)), paddle.randn([35, 16, 9, 9])
    trained = layer(x).numpy()
    layer.eval()
    monkeypatch.setattr(onednn, "multiplies_bfloat16", lambda: True)
    asked, compiled = [], layer._compiled
    monkeypatch.setattr(
        layer, "_compiled", lambda *given, **by: asked.append(by) or compiled(*given, **by)
    )
    with fast_scoring(), mixed_precision(enabled=True):
        scored = layer(x)
    assert asked == [{"reduced": False}]
    np.testing.assert_array_equal(scored.numpy(), trained)
    assert scored.stop_gradient
    plain = paddle.nn.functional.conv2d(x, layer.weight, layer.bias, padding=layer._padding)
    np.testing.assert_array_equal(layer(x).numpy(), plain.numpy())


def test_what_onednn_does_not_know_paddle_computes(monkeypatch):
    def unknown(*_):
        raise onednn.Unsupported

    monkeypatch.setattr(convolution, "_Kernels", unknown)
    convolution._kernels.cache_clear()
    layer = make_layer(kinds.Conv(3, 4, (3, 3)))
    assert layer._compiled(paddle.ones([2, 3, 5, 5]), reduced=False) is None
    assert layer(paddle.ones([2, 3, 5, 5])).shape == [2, 4, 3, 3]
    convolution._kernels.cache_clear()  # what is not known here


def test_a_convolution_of_which_only_a_part_is_trained(way):
    """A frozen weight, or pictures that need no gradient, as in a whitened network."""
    kind = kinds.Conv(3, 5, (3, 3), (1, 1), (1, 1, 1, 1))
    layer, x = make_layer(kind), paddle.randn([2, 3, 6, 6])
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert x.grad is None
    layer = make_layer(kind)
    layer.weight.stop_gradient, x.stop_gradient = True, False
    layer(x).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is not None
    assert layer.bias.grad is not None


@pytest.mark.skipif(not onednn.available(), reason="no oneDNN in this Paddle")
@pytest.mark.parametrize("kind", [kinds.Conv(3, 4, (3, 3), bias=False), kinds.Gelu()])
def test_gradients_of_gradients_are_refused_not_zero(kind):
    layer, x = make_layer(kind), paddle.randn([2, 3, 5, 5])
    x.stop_gradient = False
    wanted = [x, *layer.parameters()]
    with pytest.raises(Exception, match="no gradients of gradients"):  # Paddle's own class
        paddle.grad([(layer(x) ** 2).sum()], wanted, create_graph=True)
    if isinstance(kind, kinds.Gelu):
        return  # Paddle's own has none either
    layer.eval()
    first = paddle.grad([(layer(x) ** 2).sum()], wanted, create_graph=True)
    (second,) = paddle.grad([first[0].sum()], [x])
    assert bool(second.any())


@pytest.mark.parametrize("bias", [True, False])
def test_paddle_counts_our_convolutions(bias):
    """``paddle.flops`` takes a bias for one operation of every output; plans take it as free."""
    builder = PlanBuilder((3, 9, 8))
    builder.add("conv", kinds.Conv(3, 6, (3, 5), (2, 1), groups=3, bias=bias), 0)
    plan = builder.finish()
    network = PlanNetwork(plan)
    outputs = int(np.prod(plan.output_shape))
    assert paddle.flops(network, [1, 3, 9, 8]) == plan.macs + bias * outputs > 0


@pytest.mark.skipif(not onednn.available(), reason="no oneDNN in this Paddle")
@pytest.mark.parametrize(
    "kind", [kinds.Gelu(), kinds.Conv(4, 5, (3, 3))], ids=["gelu", "convolution"]
)
def test_what_was_changed_in_place_has_no_gradient(kind):
    leaf = paddle.ones([2, 4, 6, 6])
    leaf.stop_gradient = False
    x = leaf * 1
    y = make_layer(kind)(x)
    x.add_(paddle.ones_like(x))
    with pytest.raises(OSError, match="changed in place after the forward pass"):  # Paddle's
        y.sum().backward()
