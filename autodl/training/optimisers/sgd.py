"""SGD with (Nesterov) momentum, and weight decay on what the original decays."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.recipes.parts import SGDOptions
from autodl.training.optimisers.parameters import clip_of, trained_parameters


def sgd(network: nn.Layer, rate: float, options: SGDOptions) -> paddle.optimizer.Optimizer:
    """``v <- m v + g + d w``, ``w <- w - rate (g + d w + m v)``, without Nesterov ``rate v``."""
    return paddle.optimizer.Momentum(
        learning_rate=rate,
        momentum=options.momentum,
        use_nesterov=options.nesterov,
        parameters=trained_parameters(network),
        weight_decay=options.weight_decay,
        grad_clip=clip_of(options.gradient_clip),
    )
