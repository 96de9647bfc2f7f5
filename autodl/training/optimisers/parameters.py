"""Which parameters are trained, and which of them decay."""

from __future__ import annotations

import paddle
from paddle import nn


def trained_parameters(network: nn.Layer) -> list[paddle.Tensor]:
    """All that is trained; biases are marked as free of weight decay and come last.

    Weights and batch-norm scales and shifts decay, as in the original, biases of convolutions and
    linear layers do not. Batch-norm statistics, which Paddle lists among the parameters, are left
    out.
    """
    decayed: list[paddle.Tensor] = []
    plain: list[paddle.Tensor] = []
    for layer in network.sublayers(include_self=True):
        is_norm = isinstance(layer, nn.BatchNorm2D)
        for name, parameter in layer.named_parameters(include_sublayers=False):
            if not parameter.stop_gradient:
                (decayed if is_norm or not name.startswith("bias") else plain).append(parameter)
    for parameter in plain:  # not a group of its own: Paddle would clip each group by itself
        parameter.regularizer = paddle.regularizer.L2Decay(0.0)
    return [*decayed, *plain]


def clip_of(norm: float | None) -> nn.ClipGradByGlobalNorm | None:
    """Clips the global norm of all gradients to ``norm``; None does not."""
    return None if norm is None else nn.ClipGradByGlobalNorm(norm)
