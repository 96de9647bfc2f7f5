"""What a built network costs, counted from its layers while it runs.

This knows nothing of plans, so it is a second opinion on the counts of ``autodl/plans/plan.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import paddle
from paddle import nn

from autodl.plans.layers import Shape

_FREE = (nn.BatchNorm2D, nn.SyncBatchNorm)  # their parameters make no multiply-accumulates


@dataclass(frozen=True, slots=True)
class Costs:
    """Trainable parameters, and multiply-accumulates for one input."""

    parameters: int
    macs: int


def network_costs(network: nn.Layer, input_shape: Shape) -> Costs:
    """Run a network once on zeros, in evaluation mode, and count; it stays as it was.

    A layer that runs twice counts twice in the multiply-accumulates, and once in the parameters.

    Args:
        input_shape: of one input, without the batch axis.

    Raises:
        TypeError: a layer with parameters is of a kind whose cost is unknown.
    """
    macs = 0

    def count(layer: nn.Layer, inputs: Any, output: Any) -> None:
        nonlocal macs
        first = output[0] if isinstance(output, tuple) else output  # a recurrence gives its end too
        macs += _macs(layer, first.shape)

    layers = network.sublayers(include_self=True)
    modes = [layer.training for layer in layers]
    network.eval()
    handles = [
        layer.register_forward_post_hook(count)
        for layer in layers
        if layer.parameters(include_sublayers=False) and not isinstance(layer, _FREE)
    ]
    try:
        with paddle.no_grad():
            network(_zeros([1, *input_shape]))
    finally:
        for handle in handles:
            handle.remove()
        for layer, training in zip(layers, modes, strict=True):
            layer.training = training
    parameters = sum(prod(p.shape) for p in network.parameters() if not p.stop_gradient)
    return Costs(parameters, macs)


@contextmanager
def without_weights() -> Iterator[None]:
    """Networks that are built in here have shapes but no numbers, whatever their size.

    They can be counted by ``network_costs``, in here, and nothing else.
    """
    paddle.enable_static()
    try:
        with paddle.static.program_guard(paddle.static.Program(), paddle.static.Program()):
            yield
    finally:
        paddle.disable_static()


def _macs(layer: Any, output: list[int]) -> int:
    if isinstance(layer, nn.Conv2D):  # its weight is [O, C / groups, kh, kw]
        return int(prod(output[1:]) * prod(layer.weight.shape[1:]))
    if isinstance(layer, nn.Linear):
        return int(prod(layer.weight.shape))
    if isinstance(layer, nn.LSTM | nn.GRU):  # [L, B, O]; a weight for the input, one for the state
        weights = [weight.shape for weight in layer.parameters() if len(weight.shape) == 2]
        return int(output[0] * sum(prod(shape) for shape in weights))
    raise TypeError(f"the cost of a {type(layer).__name__} is unknown; teach autodl.networks.costs")


def _zeros(shape: list[int]) -> paddle.Tensor:
    if paddle.in_dynamic_mode():
        return paddle.zeros(shape)
    return paddle.static.data("input", shape)
