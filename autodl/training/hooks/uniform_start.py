"""First weights as PyTorch draws them."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import paddle
from paddle import nn

from autodl.config.sections import NoOptions
from autodl.networks.layers import is_convolution
from autodl.training.first_weights import layers_to_start
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting

_STREAM = 0x5EED  # tells these numbers from those of the epochs


class UniformStart(Hook):
    """Draws kernels and linear weights from ``U(-b, b)``, ``b = 1 / sqrt(inputs)``; biases are 0.

    That is a sixth of the variance of our usual start, ``2 / inputs``. Recipes that were tuned in
    PyTorch expect it: behind a batch-norm the size of a kernel says how fast it turns.
    Frozen kernels and those within blocks of branches keep what they have.

    Source: LeCun et al., Efficient BackProp, 1998, in the form of ``torch.nn.Conv2d``.
    """

    sets_first_weights = True

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        rng = np.random.default_rng((setting.seed, _STREAM))
        for layer in layers_to_start(setting.network):
            if is_convolution(layer):
                inputs = prod(layer.weight.shape[1:])
            elif isinstance(layer, nn.Linear):
                inputs = layer.weight.shape[0]
            else:
                continue
            bound = 1 / sqrt(inputs)
            drawn = rng.uniform(-bound, bound, layer.weight.shape).astype(np.float32)
            layer.weight.set_value(drawn)
            if layer.bias is not None:
                layer.bias.set_value(paddle.zeros_like(layer.bias))
