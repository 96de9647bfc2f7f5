"""Muon: Newton-Schulz against singular values, and its update against NumPy's."""

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.components import make_part
from autodl.networks.layers import Convolution, make_layer
from autodl.plans.layers import Gru, Lstm
from autodl.recipes.options import TrainOptions
from autodl.reparam.branches import IdentityConv2D
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.training.optimisers.muon import orthogonalised


def quintic(values, iterations):
    for _ in range(iterations):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return values


def reference(matrix, iterations):
    """The same through the singular values, float64."""
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    return (left * quintic(values / np.linalg.norm(values), iterations)) @ right


@pytest.mark.parametrize("shape", [(5, 5), (4, 27), (27, 4), (1, 9)])
@pytest.mark.parametrize("iterations", [1, 3, 5])
def test_newton_schulz_acts_on_singular_values(shape, iterations):
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    got = orthogonalised(paddle.to_tensor(matrix), iterations).numpy()
    # each step multiplies rounding errors by up to 3.4
    np.testing.assert_allclose(got, reference(matrix, iterations), atol=1e-5 * 3.5**iterations)


def test_five_steps_bring_singular_values_near_one():
    matrix = np.random.default_rng(1).normal(size=(8, 40)).astype(np.float32)
    values = np.linalg.svd(orthogonalised(paddle.to_tensor(matrix), 5).numpy())[1]
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_zeros_stay_zeros():
    assert (orthogonalised(paddle.zeros([3, 4]), 3).numpy() == 0).all()


def test_three_updates_by_numpy():
    """Kernel: norm, velocity, orthogonal step. Bias and linear: Nesterov at rates of their own."""
    paddle.seed(0)
    network = nn.Sequential(Convolution(2, 4, 3), nn.Linear(5, 2))
    options = {"shift_rate": 3.0, "linear_rate": 0.5, "weight_decay": 0.1, "sgd_momentum": 0.8}
    options["decay_biases"] = True
    part = make_part("Optimiser", {"name": "Muon", "iterations": 3, **options})
    optimizer = part.factory()(network, 0.2, part.options)
    named = dict(network.named_parameters())
    own = {"0.weight": None, "0.bias": 3.0, "1.weight": 0.5, "1.bias": 3.0}
    values = {name: value.numpy().astype(np.float64) for name, value in named.items()}
    velocity = {name: np.zeros_like(value) for name, value in values.items()}
    rng = np.random.default_rng(0)
    for _ in range(3):
        for name, parameter in named.items():
            gradient = rng.normal(size=parameter.shape)
            parameter.grad = paddle.to_tensor(gradient.astype(np.float32))
            if own[name] is not None:
                gradient = gradient + 0.1 / own[name] * values[name]
            momentum = 0.6 if own[name] is None else 0.8
            velocity[name] = momentum * velocity[name] + gradient
            step = gradient + momentum * velocity[name]
            if own[name] is None:
                step = reference(step.reshape(4, -1), 3).reshape(step.shape)
                values[name] *= 2.0 / np.linalg.norm(values[name])  # the root of 4 outputs
            values[name] -= 0.2 * (own[name] or 1.0) * step
        optimizer.step()
        optimizer.clear_grad(set_to_zero=False)
    for name, value in values.items():
        # three updates in float32, each with three steps of Newton and Schulz
        np.testing.assert_allclose(named[name].numpy(), value, rtol=1e-4, atol=1e-4, err_msg=name)


def rates(network, **options):
    """What every trained parameter has as its rate, in rates of kernels."""
    part = make_part("Optimiser", {"name": "Muon", **options})
    part.factory()(network, 0.2, part.options)
    found = {name: p for name, p in network.named_parameters() if not p.stop_gradient}
    return {name: p.optimize_attr["learning_rate"] for name, p in found.items()}


def test_all_kernels_of_diverse_branches_have_the_rate_of_kernels():
    network = training_network(cifar_quick_plan(image_size=16), TrainOptions(branches="dbb"), 0)
    found = rates(network, shift_rate=640.0, linear_rate=5.0)
    names = [name for name in found if ".point_dense.0." in name]
    assert names
    layers = dict(network.named_sublayers())
    for name, rate in found.items():
        path, _, kind = name.rpartition(".")
        if isinstance(layers[path], nn.BatchNorm2D):
            assert rate == (640.0 if kind == "bias" else 10.0), name
        elif isinstance(layers[path], nn.Conv2D):
            assert rate == (640.0 if kind == "bias" else 1.0), name
    assert found["head.classifier.weight"] == 5.0


@pytest.mark.parametrize("kind", [Lstm, Gru])
def test_other_matrices_have_the_rate_of_linear_layers(kind):
    found = rates(make_layer(kind(3, 2)), shift_rate=640.0, linear_rate=5.0)
    assert set(found.values()) == {640.0, 5.0}
    assert all((rate == 5.0) == ("weight" in name) for name, rate in found.items())


def test_what_is_added_to_the_identity_grows_from_zero():
    """It is not brought to the norm of a kernel: two orthogonal steps, and no decay."""
    network = nn.Sequential(IdentityConv2D(4))
    weight = network[0].weight
    weight.set_value(paddle.zeros_like(weight))
    part = make_part("Optimiser", {"name": "Muon", "momentum": 0.5, "weight_decay": 0.1})
    optimizer = part.factory()(network, 0.2, part.options)
    gradient = np.random.default_rng(0).normal(size=(4, 4, 1, 1)).astype(np.float32)
    for _ in range(2):
        weight.grad = paddle.to_tensor(gradient)
        optimizer.step()
    # one gradient twice: both steps are of its direction, which is all that counts
    expected = -0.4 * reference(gradient.reshape(4, 4), 3)
    # two updates in float32, each with three steps of Newton and Schulz
    np.testing.assert_allclose(weight.numpy().reshape(4, 4), expected, atol=1e-4)
