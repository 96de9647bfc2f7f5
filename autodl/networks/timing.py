"""How long layers and networks take: calls timed among each other, one of each in turn."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.networks.layers import make_layer
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Layer, Shape
from autodl.plans.plan import Plan

Call: TypeAlias = Callable[[], object]
WARM_UP, TRIES = 2, 3
_RATE = 1e-9  # of updates that are timed: numbers shall stay as they are
_WHO = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)  # the former: Linux


class Inputs:
    """Random inputs of a batch size, one tensor for each shape and position."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._made: dict[tuple[Shape, int], paddle.Tensor] = {}

    def of(self, shapes: Sequence[Shape]) -> list[paddle.Tensor]:
        """Tensors uniform in [0, 1) of these shapes; those of equal shapes are different ones."""
        for where in zip(shapes, range(len(shapes)), strict=True):
            if where not in self._made:
                self._made[where] = paddle.rand([self._batch_size, *where[0]])
        return [self._made[where] for where in zip(shapes, range(len(shapes)), strict=True)]


def layer_call(layer: Layer, shapes: Sequence[Shape], inputs: Inputs) -> Call:
    """A call of one layer in evaluation mode."""
    return _call(make_layer(layer), inputs.of(shapes))


def network_call(plan: Plan, inputs: Inputs) -> Call:
    """A call of a whole network in evaluation mode."""
    return _call(PlanNetwork(plan), inputs.of([plan.input_shape]))


def layer_step(layer: Layer, shapes: Sequence[Shape], inputs: Inputs) -> Call:
    """A call of one layer in training mode, and of the gradients of its weights and inputs."""
    return _step(make_layer(layer), inputs.of(shapes))


def network_step(plan: Plan, inputs: Inputs) -> Call:
    """A training step of a whole network: forth, back, and an update by SGD with momentum."""
    network = PlanNetwork(plan)
    optimizer = paddle.optimizer.Momentum(_RATE, parameters=network.parameters())
    return _step(network, inputs.of([plan.input_shape]), optimizer.step, learns_inputs=False)


def _step(
    network: nn.Layer,
    tensors: Sequence[paddle.Tensor],
    update: Call = lambda: None,
    *,
    learns_inputs: bool = True,
) -> Call:
    network.train()
    own = [tensor.detach() for tensor in tensors]  # others share the values, not the gradients
    for tensor in own:
        tensor.stop_gradient = not learns_inputs

    def step() -> None:
        with paddle.enable_grad():
            network(*own).sum().backward()
        update()
        network.clear_gradients(set_to_zero=False)
        for tensor in own if learns_inputs else ():
            tensor.clear_gradient(set_to_zero=False)

    return _waited_for(step)


def _call(network: nn.Layer, tensors: Sequence[paddle.Tensor]) -> Call:
    network.eval()
    return _waited_for(lambda: network(*tensors))


def _waited_for(call: Call) -> Call:
    """The call until its work is done; a GPU works on its own."""
    if paddle.get_device() == "cpu":
        return call

    def call_and_wait() -> None:
        call()
        paddle.device.synchronize()

    return call_and_wait


def time_calls(
    calls: Sequence[Call],
    repetitions: int,
    *,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[NDArray[np.float64], float]:
    """Time calls in rounds, each of them once a round, in random order.

    So a slow minute of the machine hits all alike, and a call finds the caches filled by others.
    A call during which another program had the processor is repeated, at most twice.

    Args:
        progress: called with the number of rounds done.

    Returns:
        Milliseconds, float64 ``[calls, repetitions]``, and the share of interrupted calls.
    """
    rng = np.random.default_rng(seed)
    times = np.zeros((len(calls), repetitions))
    disturbed = tries = 0
    with paddle.no_grad(), _no_garbage_collection():
        for _ in range(WARM_UP):
            for call in calls:
                call()
        for repetition in range(repetitions):
            for position in rng.permutation(len(calls)):
                for _ in range(TRIES):
                    times[position, repetition], undisturbed = _time(calls[position])
                    tries += 1
                    if undisturbed:
                        break
                    disturbed += 1
            progress(repetition + 1)
    return times, disturbed / tries


def _time(call: Call) -> tuple[float, bool]:
    """Milliseconds, and whether the thread kept its processor."""
    switches = resource.getrusage(_WHO).ru_nivcsw
    began = time.perf_counter()
    call()
    milliseconds = 1e3 * (time.perf_counter() - began)
    return milliseconds, resource.getrusage(_WHO).ru_nivcsw == switches


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
