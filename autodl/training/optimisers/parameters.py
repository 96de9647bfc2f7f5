"""Which parameters are trained, which of them decay, and which learn at a rate of their own."""

from __future__ import annotations

import paddle
from paddle import nn


class OptimisersDecay(paddle.regularizer.L2Decay):
    """L2 that an optimiser gave a parameter; what the network says of its own stands beside it."""


def trained_parameters(network: nn.Layer, *, decay_biases: bool = False) -> list[paddle.Tensor]:
    """All that is trained; biases are marked as free of weight decay and come last.

    Weights and batch-norm scales and shifts decay, as in the original, biases of convolutions and
    linear layers do not unless they are to. Batch-norm statistics, which Paddle lists among the
    parameters, are left out. What an earlier optimiser of the network marked is forgotten; what a
    layer says of its parameters (a ``regularizer``, as RepVGG's blocks) holds.
    """
    decayed: list[paddle.Tensor] = []
    plain: list[paddle.Tensor] = []
    for layer in network.sublayers(include_self=True):
        is_norm = isinstance(layer, nn.BatchNorm2D)
        for name, parameter in layer.named_parameters(include_sublayers=False):
            if not parameter.stop_gradient:
                (decayed if is_norm or not name.startswith("bias") else plain).append(parameter)
    for parameter in (*decayed, *plain):
        parameter.optimize_attr["learning_rate"] = 1.0
        if isinstance(parameter.regularizer, OptimisersDecay):
            parameter.regularizer = None
    # not a group of its own: Paddle would clip each group by itself
    for parameter in () if decay_biases else plain:
        parameter.regularizer = parameter.regularizer or OptimisersDecay(0.0)
    return [*decayed, *plain]


def decay_of(parameter: paddle.Tensor, decay: float) -> float:
    """The L2 of a parameter whose optimiser has ``decay``, unless it has one of its own."""
    own = parameter.regularizer
    return decay if own is None else float(own._coeff)


def trained_shifts(network: nn.Layer) -> list[paddle.Tensor]:
    """Shifts of batch-norms that are trained."""
    return _of_norms(network, "bias")


def trained_scales(network: nn.Layer) -> list[paddle.Tensor]:
    """Scales of batch-norms that are trained."""
    return _of_norms(network, "weight")


def _of_norms(network: nn.Layer, name: str) -> list[paddle.Tensor]:
    norms = [layer for layer in network.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    found = [getattr(norm, name) for norm in norms]
    return [tensor for tensor in found if tensor is not None and not tensor.stop_gradient]


def let_learn(parameter: paddle.Tensor, rate: float, decay: float) -> None:
    """Give a parameter a rate of its own: so many times the optimiser's.

    Its L2 is ``decay / rate``, so an update takes the same share off it as at a rate of 1, unless
    its layer says what it is.
    """
    parameter.optimize_attr["learning_rate"] = rate
    if parameter.regularizer is None or isinstance(parameter.regularizer, OptimisersDecay):
        parameter.regularizer = OptimisersDecay(decay / rate)


def clip_of(norm: float | None) -> nn.ClipGradByGlobalNorm | None:
    """Clips the global norm of all gradients to ``norm``; None does not."""
    return None if norm is None else nn.ClipGradByGlobalNorm(norm)
