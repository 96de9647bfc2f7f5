"""Networks for series: recurrences against NumPy, and what is counted against what is built."""

from __future__ import annotations

import copy

import numpy as np
import paddle
import pytest

from autodl.networks.costs import network_costs
from autodl.networks.layers import make_layer, trainable
from autodl.networks.network import PlanNetwork
from autodl.plans import layers as kinds
from autodl.spaces.sequence.architecture import OPERATIONS
from autodl.spaces.sequence.plan import sequence_plan
from autodl.spaces.sequence.space import SequenceSpace

SPACE = SequenceSpace(blocks=4)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(kind, weights, series):
    """States ``[B, O, L]`` of an LSTM or a GRU over ``[B, C, L]``, in float64, gate by gate."""
    of_input, of_state, input_bias, state_bias = (w.astype(np.float64) for w in weights)
    count = of_state.shape[1]
    state, memory, found = np.zeros((len(series), count)), 0.0, []
    for step in range(series.shape[2]):
        from_input = series[:, :, step] @ of_input.T + input_bias
        from_state = state @ of_state.T + state_bias
        cut = [slice(i * count, (i + 1) * count) for i in range(len(of_input) // count)]
        if kind is kinds.Lstm:  # input, forget, candidate, output
            both = from_input + from_state
            admitted, kept, candidate, shown = (both[:, part] for part in cut)
            memory = sigmoid(kept) * memory + sigmoid(admitted) * np.tanh(candidate)
            state = sigmoid(shown) * np.tanh(memory)
        else:  # reset, update, candidate
            reset, update = (sigmoid(from_input[:, c] + from_state[:, c]) for c in cut[:2])
            candidate = np.tanh(from_input[:, cut[2]] + reset * from_state[:, cut[2]])
            state = update * state + (1 - update) * candidate
        found.append(state)
    return np.stack(found, axis=2)


@pytest.mark.parametrize("kind", [kinds.Lstm, kinds.Gru])
def test_recurrences_compute_what_is_written_down(kind):
    paddle.seed(3)
    layer = make_layer(kind(3, 5))
    series = np.random.default_rng(0).normal(size=(4, 3, 11)).astype(np.float32)
    found = layer(paddle.to_tensor(series[:, :, None])).numpy()
    weights = [weight.numpy() for weight in layer.parameters()]
    assert found.shape == (4, 5, 1, 11)
    # float32, eleven steps of sums of 8 products: a few units in the last place of 1
    np.testing.assert_allclose(found[:, :, 0], by_hand(kind, weights, series), atol=2e-6)


@pytest.mark.parametrize("kind", [kinds.Lstm, kinds.Gru])
def test_an_optimiser_meets_each_weight_of_a_recurrence_once(kind):
    layer = make_layer(kind(3, 5))
    listed = [p for part in layer.sublayers() for p in part.parameters(include_sublayers=False)]
    assert len(listed) == len({id(p) for p in listed}) == len(layer.state_dict()) == 4


@pytest.mark.parametrize("kind", [kinds.Lstm, kinds.Gru])
def test_a_copied_recurrence_is_on_its_own(kind):
    layer = make_layer(kind(2, 3))
    copied, x = copy.deepcopy(layer), paddle.ones([1, 2, 1, 4])
    before = copied(x).numpy()
    np.testing.assert_array_equal(layer(x).numpy(), before)
    for weight in layer.parameters():
        weight.set_value(weight * 2)
    np.testing.assert_array_equal(copied(x).numpy(), before)
    assert not np.allclose(layer(x).numpy(), before, atol=1e-3)


def test_products_multiply():
    maps, one = paddle.arange(24.0).reshape([2, 3, 1, 4]), paddle.arange(8.0).reshape([2, 1, 1, 4])
    product = make_layer(kinds.Product())
    np.testing.assert_array_equal(product(maps, one).numpy(), maps.numpy() * one.numpy())
    np.testing.assert_array_equal(product(maps, maps).numpy(), maps.numpy() ** 2)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_counted_is_what_is_built(seed):
    architecture = SPACE.sample(np.random.default_rng((11, seed)))
    plan = sequence_plan(architecture, channels=2, length=19, outputs=3, width=6)
    network = PlanNetwork(plan, seed=0)
    counted = network_costs(network, (2, 19))
    assert (counted.parameters, counted.macs) == (plan.parameters, plan.macs)
    found = network(paddle.ones([3, 2, 19]))
    assert found.shape == [3, 3]
    found.sum().backward()
    reached = [weight for weight in trainable(network) if weight.grad is not None]
    assert len(reached) == len(trainable(network))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_is_counted_by_a_second_counter(operation):
    space = SequenceSpace(blocks=1, operations=(operation,), gates=("none",), heads=("last",))
    plan = sequence_plan(
        space.decode([0, 0, 0, 0, 0]), channels=1, length=9, outputs=1, width=3, dropout=0.5
    )
    counted = network_costs(PlanNetwork(plan, seed=0), (1, 9))
    assert (counted.parameters, counted.macs) == (plan.parameters, plan.macs)
