"""How long layers and networks take: calls timed among each other, one of each in turn."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import TypeAlias

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.networks.layers import make_layer
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Layer, Shape
from autodl.plans.plan import Plan
from autodl.system.memory import freed_memory_kept

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


class Passes:
    """Makes passes forth and back, over normally distributed numbers that they share."""

    def __init__(self) -> None:
        self._numbers = paddle.zeros([0])
        self._made: dict[tuple[int, Shape, int], paddle.Tensor] = {}

    def of(
        self,
        network: nn.Layer,
        shapes: Sequence[Shape],
        output: Shape,
        batch: int,
        *,
        first: bool = False,
    ) -> Call:
        """A pass forth and back, from a random gradient of the outputs to those of the weights.

        A sum of the outputs in place of such a gradient would take as long as a ReLU.

        Args:
            shapes: of the inputs of one example.
            output: shape of what comes out.
            first: whether nothing that learns is in front of it: inputs have no gradient then.
        """
        network.train()
        own = [self._normal(batch, shape, place).detach() for place, shape in enumerate(shapes)]
        for tensor in own:  # others share the values, not the gradients
            tensor.stop_gradient = first
        gradient = self._normal(batch, output, len(shapes))

        def there_and_back() -> None:
            with paddle.enable_grad():
                outputs = network(*own)
                if outputs.dtype != gradient.dtype:  # mixed precision on a GPU
                    outputs = outputs.astype(gradient.dtype)
            if not outputs.stop_gradient:
                outputs.backward(gradient)
            network.clear_gradients(set_to_zero=False)
            for tensor in own if not first else ():
                tensor.clear_gradient(set_to_zero=False)

        return _waited_for(there_and_back)

    def _normal(self, batch: int, shape: Shape, place: int) -> paddle.Tensor:
        """The same numbers for all shapes, from another one on for each place."""
        key, count = (batch, shape, place), batch * prod(shape)
        if self._numbers.shape[0] < count + place:
            self._numbers = paddle.randn([2 * (count + place)])
        if key not in self._made:
            self._made[key] = self._numbers[place : place + count].reshape([batch, *shape])
        return self._made[key]


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


def least_times(
    calls: Sequence[Call],
    repetitions: int,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> NDArray[np.float64]:
    """Least processor time of calls that are timed in rounds, each once a round, in random order.

    Other programs do not count, and the least is what they disturbed least; so it can be measured
    on a busy machine. A GPU works on its own: there it is the least wall-clock time.

    Args:
        progress: called with the number of calls that were made, and that will be.

    Returns:
        Milliseconds, float64 ``[calls]``.
    """
    clock = time.process_time if paddle.get_device() == "cpu" else time.perf_counter
    rng, least = np.random.default_rng(seed), np.full(len(calls), np.inf)
    with _no_garbage_collection(), freed_memory_kept():
        for number in range(repetitions):
            for done, position in enumerate(rng.permutation(len(calls)), start=1):
                began = clock()
                calls[position]()
                least[position] = min(least[position], 1e3 * (clock() - began))
                progress(number * len(calls) + done, repetitions * len(calls))
    return least


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
