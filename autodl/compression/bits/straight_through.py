"""Training weights through their rounding: the straight-through estimator.

Source: Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic
neurons", 2013.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import paddle
from paddle import nn

from autodl.compression.bits.levels import Levels


@contextmanager
def rounded_forward(layers: Mapping[str, nn.Layer], levels: Mapping[str, Levels]) -> Iterator[None]:
    """Within the block these layers compute with rounded weights, whose gradient is the weights'.

    The layers keep their own weights, which the optimiser changes as if nothing were rounded.
    """
    with ExitStack() as stack:
        for path, own in levels.items():
            hooks = _Swap(layers[path], own)
            stack.callback(layers[path].register_forward_pre_hook(hooks.before).remove)
            stack.callback(layers[path].register_forward_post_hook(hooks.behind).remove)
        yield


class _Swap:
    """Puts rounded weights in the place of a layer's own for the time of a forward pass."""

    def __init__(self, layer: nn.Layer, levels: Levels) -> None:
        self._weight = layer.weight
        self._values = paddle.to_tensor(levels.values)
        self._edges = paddle.to_tensor(levels.edges)

    def before(self, layer: nn.Layer, inputs: Any) -> None:
        weight = self._weight
        with paddle.no_grad():
            places = paddle.bucketize(weight.detach(), self._edges).flatten()
            change = paddle.gather(self._values, places).reshape(weight.shape) - weight
        layer._parameters["weight"] = weight + change

    def behind(self, layer: nn.Layer, inputs: Any, output: Any) -> None:
        layer._parameters["weight"] = self._weight
