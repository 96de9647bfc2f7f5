"""SGD with (Nesterov) momentum, and weight decay on what the original decays."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.recipes.parts import SGDOptions
from autodl.training.optimisers.parameters import (
    clip_of,
    let_learn,
    trained_parameters,
    trained_shifts,
)


def sgd(network: nn.Layer, rate: float, options: SGDOptions) -> paddle.optimizer.Optimizer:
    """``v <- m v + g + d w``, ``w <- w - rate (g + d w + m v)``, without Nesterov ``rate v``.

    Shifts of batch-norms have ``shift_rate`` times the rate, and ``d`` over it.
    """
    parameters = trained_parameters(network, decay_biases=options.decay_biases)
    if options.shift_rate != 1.0:
        for shift in trained_shifts(network):
            let_learn(shift, options.shift_rate, options.weight_decay)
    return paddle.optimizer.Momentum(
        learning_rate=rate,
        momentum=options.momentum,
        use_nesterov=options.nesterov,
        parameters=parameters,
        weight_decay=options.weight_decay,
        grad_clip=clip_of(options.gradient_clip),
    )
