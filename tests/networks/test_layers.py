"""Initial values, training mode and registration of the Paddle layers."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.networks import layers
from autodl.networks.cell import build_network
from autodl.networks.layers import make_layer, register_layer, trainable
from autodl.networks.network import PlanNetwork
from autodl.plans import layers as kinds
from autodl.plans.plan import PlanBuilder
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.operations import operation, operation_names

ONE = CellPair(Cell((0,), ()), Cell((0,), ()))


@pytest.mark.parametrize(
    "kind, fan_in",
    [
        (kinds.Conv(64, 64, (5, 5)), 1600),
        (kinds.Conv(64, 256, (1, 3)), 192),
        (kinds.Conv(2000, 2000, (5, 5), groups=2000), 25),
        (kinds.Linear(512, 100), 512),
    ],
    ids=["5x5", "1x3", "depthwise", "linear"],
)
def test_initial_weights(kind, fan_in):
    """A normal cut at two deviations has the deviation 0.8796 (closed form below).

    49,152 to 102,400 weights: the sample's deviation has a relative standard error below
    0.3 %, the mean one of 0.88 std / sqrt(n); five of them are allowed.
    """
    paddle.seed(3)
    layer = make_layer(kind)
    weights, std = layer.weight.numpy().astype(float), sqrt(2 / fan_in)
    density, inside = np.exp(-2) / sqrt(2 * np.pi), 0.9544997361036416  # at 2; within +-2
    cut = sqrt(1 - 2 * 2 * density / inside)
    assert cut == pytest.approx(0.8796, abs=1e-4)
    assert weights.std() == pytest.approx(std * cut, rel=0.015)
    assert abs(weights.mean()) < 5 * std / sqrt(weights.size)
    assert np.abs(weights).max() <= 2 * std * (1 + 1e-6)  # float32 rounding of the bound
    assert np.abs(weights).max() > 1.98 * std  # and it is used up to the bound
    assert not layer.bias.numpy().any()


def test_a_convolution_with_a_deviation_of_its_own():
    weights = make_layer(kinds.Conv(64, 128, (3, 3), weight_std=0.02)).weight.numpy()
    # 73,728 draws: the deviation is known to 0.3 %, and nothing is cut at two of them
    assert weights.std() == pytest.approx(0.02, rel=0.015)
    assert np.abs(weights).max() > 0.06


def test_a_linear_layer_with_a_deviation_of_its_own():
    """102,400 weights: five standard errors of their deviation are 1.1 %."""
    paddle.seed(3)
    layer = make_layer(kinds.Linear(1024, 100, 1e-3))
    assert layer.weight.numpy().std() == pytest.approx(1e-3, rel=0.011)
    assert not layer.bias.numpy().any()


def test_crop_is_a_slice():
    x = paddle.arange(2 * 3 * 4 * 5).reshape([2, 3, 4, 5])
    found = make_layer(kinds.Crop(1, 2))(x).numpy()
    np.testing.assert_array_equal(found, x.numpy()[:, :, 1:, 2:])


def test_every_second_channel_is_a_slice():
    x = paddle.arange(2 * 5 * 2 * 3).reshape([2, 5, 2, 3])
    for first in (0, 1):
        found = make_layer(kinds.EverySecond(first))(x).numpy()
        np.testing.assert_array_equal(found, x.numpy()[:, first::2])


def test_the_seed_decides_the_weights():
    def weights(seed):
        paddle.seed(seed)
        return build_network(ONE, width=4, image_size=8).state_dict()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(first[name].numpy(), again[name].numpy()) for name in first)
    assert not np.array_equal(first["stem.weight"].numpy(), other["stem.weight"].numpy())


def test_dropout_acts_while_training_only():
    layer = make_layer(kinds.Dropout(0.5))
    ones = paddle.ones([10_000])
    paddle.seed(0)
    dropped = layer(ones).numpy()
    assert set(np.unique(dropped)) == {0.0, 2.0}  # scaled up while training
    assert abs((dropped == 0).mean() - 0.5) < 5 * 0.5 / 100  # five standard errors
    layer.eval()
    np.testing.assert_array_equal(layer(ones).numpy(), ones.numpy())
    network = build_network(ONE, width=4, image_size=8, dropout=0.25)
    assert network.layer("head.dropout").p == 0.25


def test_batch_norm_momentum_and_epsilon():
    """running = 0.9 running + 0.1 batch; (x - mean) / sqrt(variance + 1e-3)."""
    layer = make_layer(kinds.BatchNorm(2))
    x = np.random.default_rng(0).normal(1.0, 0.05, size=(8, 2, 4, 4)).astype("float32")
    found = layer(paddle.to_tensor(x)).numpy()
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    spread = np.sqrt(variance + 1e-3)[:, None, None]  # 1e-3 is 30 % of the sum here
    np.testing.assert_allclose(found, (x - mean[:, None, None]) / spread, rtol=1e-4, atol=1e-5)
    # 1e-5: float32; biased or unbiased variance (128 values) would differ by 2e-6 only
    np.testing.assert_allclose(layer._mean.numpy(), 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer._variance.numpy(), 0.9 + 0.1 * variance, rtol=1e-5)
    assert (layer.weight.numpy() == 1).all()
    assert (layer.bias.numpy() == 0).all()


def test_statistics_are_no_trainable_parameters():
    network = build_network(ONE, width=4, image_size=8)
    owned = {id(p) for p in trainable(network)}
    for name, parameter in network.named_parameters():
        assert (id(parameter) in owned) == (not name.endswith(("_mean", "_variance")))
    layers = [network.layer("stem"), network.layer("head.norm")]
    assert len(trainable(layers)) == 4


@pytest.mark.parametrize("name, before", [("avg_pool_2x2", 0), ("avg_pool_4x4", 1)])
def test_even_average_pools_leave_out_the_padding_at_stride_1(name, before):
    """As the original, which pads both sides and crops: means of what is there, by a loop."""
    builder = PlanBuilder((1, 5, 6))
    operation(name).build(builder, 0, "node", False)
    maps = np.random.default_rng(0).normal(size=(1, 1, 5, 6)).astype("float32")
    found = PlanNetwork(builder.finish(), seed=0)(paddle.to_tensor(maps)).numpy()[0, 0]
    size = int(name[-1])
    for row in range(5):
        for column in range(6):
            top, left = row - before, column - before
            part = maps[0, 0, max(top, 0) : top + size, max(left, 0) : left + size]
            assert found[row, column] == pytest.approx(part.mean(), abs=1e-6)  # float32


def test_scale_flatten_and_sigmoid_against_numpy():
    """Exact but for the sigmoid, whose float32 rounding 1e-6 covers."""
    rng = np.random.default_rng(0)
    maps, factors = (rng.normal(size=s).astype("float32") for s in [(2, 3, 4, 5), (2, 3)])
    tensor, numbers = paddle.to_tensor(maps), paddle.to_tensor(factors)
    scaled = make_layer(kinds.Scale())(tensor, numbers).numpy()
    np.testing.assert_array_equal(scaled, maps * factors[:, :, None, None])
    flat = make_layer(kinds.Flatten())(tensor).numpy()
    np.testing.assert_array_equal(flat, maps.reshape(2, -1))
    found = make_layer(kinds.Sigmoid())(tensor).numpy()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-maps.astype(float))), rtol=1e-6)


def test_gelu_a_maximum_and_a_number():
    """x times the normal distribution function of x, by math.erf; float32."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    tensor = paddle.to_tensor(x)
    gelu = [value * (1 + erf(value / sqrt(2))) / 2 for value in x.astype(float).ravel()]
    found = make_layer(kinds.Gelu())(tensor).numpy().ravel()
    np.testing.assert_allclose(found, gelu, atol=1e-6)
    found = make_layer(kinds.GlobalMaxPool())(tensor).numpy()
    np.testing.assert_array_equal(found, x.max((2, 3)))
    found = make_layer(kinds.Times(0.25))(tensor).numpy()
    np.testing.assert_array_equal(found, 0.25 * x)


def test_a_linear_layer_without_bias():
    layer = make_layer(kinds.Linear(3, 2, bias=False))
    assert layer.bias is None
    assert kinds.Linear(3, 2, bias=False).parameters == 6


def test_gradients_reach_every_trainable_parameter():
    """All operations at once: a layer that is built but not wired would have none."""
    names = operation_names()
    cell = Cell.from_names(names, [0] * (len(names) * (len(names) - 1) // 2))
    network = build_network(
        CellPair(cell, cell), width=4, stages=2, cells_per_stage=1, image_size=8, bottleneck=2
    )
    images = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype("float32")
    network(paddle.to_tensor(images)).sum().backward()
    for name, parameter in network.named_parameters():
        if not parameter.stop_gradient:
            assert parameter.grad is not None, name


def test_an_unknown_kind_of_layer_can_be_registered(monkeypatch):
    class Doubled(kinds.Layer):
        pass

    monkeypatch.setattr(layers, "_FACTORIES", dict(layers._FACTORIES))
    with pytest.raises(TypeError, match="Doubled; call register_layer"):
        make_layer(Doubled())

    class Double(nn.Layer):
        def forward(self, x):
            return 2 * x

    register_layer(Doubled, lambda kind: Double())
    builder = PlanBuilder((1, 2, 2))
    builder.add("training.forward", Doubled(), 0)  # names of Paddle's attributes are fine too
    network = PlanNetwork(builder.finish())
    assert (network(paddle.ones([1, 1, 2, 2])).numpy() == 2).all()
    with pytest.raises(ValueError, match="Doubled exists already"):
        register_layer(Doubled, lambda kind: Double())
