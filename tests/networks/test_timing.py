"""Timing calls: the order and the number of them, never how fast."""

from __future__ import annotations

import gc

import numpy as np
import paddle
import pytest

from autodl.networks import timing
from autodl.networks.layers import make_layer
from autodl.networks.timing import (
    WARM_UP,
    Inputs,
    Passes,
    layer_call,
    layer_step,
    least_times,
    network_call,
    network_step,
    time_calls,
)
from autodl.plans.layers import Add, Conv, Dropout, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import PlanBuilder


@pytest.fixture
def undisturbed(monkeypatch):
    monkeypatch.setattr(timing, "_time", lambda call: (call() or 1.0, True))


@pytest.mark.usefixtures("undisturbed")
def test_calls_take_turns_in_random_order() -> None:
    order, rounds = [], []
    calls = [lambda name=name: order.append(name) for name in range(20)]
    times, disturbed = time_calls(calls, 3, progress=rounds.append)
    assert times.shape == (20, 3)
    assert (disturbed, rounds) == (0.0, [1, 2, 3])
    turns = np.reshape(order, (WARM_UP + 3, 20))
    assert np.array_equal(np.sort(turns, axis=1), np.tile(np.arange(20), (WARM_UP + 3, 1)))
    assert len({tuple(turn) for turn in turns[WARM_UP:].tolist()}) == 3


@pytest.mark.usefixtures("undisturbed")
def test_times_belong_to_their_calls() -> None:
    times, _ = time_calls([lambda: 2.0, lambda: 3.0, lambda: 5.0], 4)
    np.testing.assert_array_equal(times, np.repeat([[2.0], [3.0], [5.0]], 4, axis=1))


def test_interrupted_calls_are_repeated_but_not_for_ever(monkeypatch) -> None:
    outcomes = iter([(9.0, False), (1.0, True), (9.0, False), (9.0, False), (7.0, False)])
    monkeypatch.setattr(timing, "_time", lambda call: next(outcomes))
    times, disturbed = time_calls([lambda: None], 2)
    np.testing.assert_array_equal(times, [[1.0, 7.0]])
    assert disturbed == 4 / 5


def test_real_times_are_positive_milliseconds() -> None:
    """A sleep of 20 ms: not less, and not a thousand times as much."""
    import time

    times, disturbed = time_calls([lambda: time.sleep(0.02)], 2)
    assert (times >= 20).all()
    assert (times < 20_000).all()
    assert 0 <= disturbed <= 1


def test_the_collector_comes_back_even_after_an_error() -> None:
    def fail():
        assert not gc.isenabled()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time_calls([fail], 1)
    assert gc.isenabled()


def test_inputs_are_shared_by_shape_and_position() -> None:
    inputs = Inputs(3)
    first, second = inputs.of([(2, 4, 4), (2, 4, 4)])
    assert first.shape == [3, 2, 4, 4]
    assert first is not second  # or an addition would read half as much memory
    assert inputs.of([(2, 4, 4)])[0] is first


def test_layers_are_called_in_evaluation_mode() -> None:
    inputs = Inputs(2)
    (x,) = inputs.of([(5,)])
    np.testing.assert_array_equal(layer_call(Dropout(0.9), [(5,)], inputs)().numpy(), x.numpy())
    one, two = inputs.of([(5,), (5,)])
    total = layer_call(Add(), [(5,), (5,)], inputs)()
    np.testing.assert_array_equal(total.numpy(), (one + two).numpy())


def test_a_whole_network() -> None:
    builder = PlanBuilder((2, 4, 4))
    builder.add("relu", Relu(), builder.add("drop", Dropout(0.5), 0))
    inputs = Inputs(2)
    with paddle.no_grad():
        out = network_call(builder.finish(), inputs)()
    np.testing.assert_array_equal(out.numpy(), inputs.of([(2, 4, 4)])[0].numpy())


def test_a_step_of_a_layer_goes_forth_and_back(monkeypatch) -> None:
    """To its weights and to its inputs, though calls are timed where no gradient is wanted."""
    made, seen = [], []

    class Spied(paddle.nn.Linear):
        def forward(self, x):
            assert self.training
            x.register_hook(lambda gradient: seen.append("inputs"))
            self.weight.register_hook(lambda gradient: seen.append("weights"))
            return super().forward(x)

    monkeypatch.setattr(timing, "make_layer", lambda kind: made.append(Spied(3, 2)) or made[0])
    call, inputs = layer_step(Linear(3, 2), [(3,)], Inputs(4)), Inputs(4)
    before = made[0].weight.numpy()
    with paddle.no_grad():
        call()
    assert sorted(seen) == ["inputs", "weights"]
    assert (made[0].weight.numpy() == before).all()
    assert made[0].weight.grad is None or not made[0].weight.grad.numpy().any()
    plain = layer_call(Linear(3, 2), [(3,)], inputs)
    seen.clear()
    with paddle.no_grad(), pytest.raises(AssertionError):  # it is in evaluation mode
        plain()


def test_a_step_of_a_network_moves_its_weights(monkeypatch) -> None:
    builder = PlanBuilder((3, 4, 4))
    x = builder.add("conv", Conv(3, 2, (1, 1)), 0)
    builder.add("head", Linear(2, 2), builder.add("pool", GlobalAvgPool(), x))
    made = []
    original = timing.PlanNetwork
    monkeypatch.setattr(timing, "PlanNetwork", lambda plan: made.append(original(plan)) or made[0])
    monkeypatch.setattr(timing, "_RATE", 0.1)
    call = network_step(builder.finish(), Inputs(2))
    before = {name: value.numpy() for name, value in made[0].state_dict().items()}
    with paddle.no_grad():
        call()
        call()
    after = made[0].state_dict()
    assert all((after[name].numpy() != value).any() for name, value in before.items())


def test_a_pass_goes_forth_and_back_and_leaves_no_gradients() -> None:
    network = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 1), paddle.nn.ReLU())
    seen = []
    network[0].weight.register_hook(lambda gradient: seen.append(gradient.numpy()))
    passes = Passes()
    call = passes.of(network, [(3, 5, 5)], (4, 5, 5), 2)
    call()
    call()
    assert len(seen) == 2
    np.testing.assert_array_equal(seen[0], seen[1])
    assert np.abs(seen[0]).max() > 0
    assert network[0].weight.grad is None
    passes.of(make_layer(Relu()), [(3, 5, 5)], (3, 5, 5), 2, first=True)()  # nothing learns


def test_passes_share_their_numbers_and_inputs_of_one_shape_differ() -> None:
    passes, shown = Passes(), []

    class Sum(paddle.nn.Layer):
        def forward(self, *inputs):
            shown.append(inputs)
            return inputs[0] + inputs[1]

    for batch in (2, 8):
        passes.of(Sum(), [(3, 4, 4)] * 2, (3, 4, 4), batch)()
        assert [x.shape for x in shown[-1]] == [[batch, 3, 4, 4]] * 2
        assert not np.array_equal(shown[-1][0].numpy(), shown[-1][1].numpy())


def test_the_least_of_several_rounds_counts(monkeypatch) -> None:
    clock, said, order = [0.0], [], []
    took = {"a": iter([3.0, 1.0, 2.0]), "b": iter([5.0, 9.0, 4.0])}

    def call(name):
        order.append(name)
        clock[0] += next(took[name])

    monkeypatch.setattr(timing.time, "process_time", lambda: clock[0])
    calls = [lambda: call("a"), lambda: call("b")]
    times = least_times(calls, 3, progress=lambda done, of: said.append((done, of)))
    np.testing.assert_allclose(times, [1000.0, 4000.0])
    assert said == [(done, 6) for done in range(1, 7)]
    assert [sorted(order[i : i + 2]) for i in (0, 2, 4)] == [["a", "b"]] * 3
