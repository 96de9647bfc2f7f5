"""Adam whose weight decay is no part of the gradient."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.recipes.parts import AdamWOptions
from autodl.training.optimisers.parameters import clip_of, trained_parameters


def adamw(network: nn.Layer, rate: float, options: AdamWOptions) -> paddle.optimizer.Optimizer:
    """``w <- (1 - rate d) w - rate m / (sqrt(v) + epsilon)`` with corrected moments ``m, v``.

    Source: Loshchilov and Hutter, ICLR 2019, algorithm 2.
    """
    parameters = trained_parameters(network)
    decayed = {p.name for p in parameters if getattr(p, "regularizer", None) is None}
    return paddle.optimizer.AdamW(
        learning_rate=rate,
        beta1=options.beta1,
        beta2=options.beta2,
        epsilon=options.epsilon,
        parameters=parameters,
        weight_decay=options.weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
        grad_clip=clip_of(options.gradient_clip),
    )
