"""Convolutions that start by handing on what comes in."""

from __future__ import annotations

import numpy as np
from paddle import nn

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.networks.layers import is_convolution
from autodl.training.first_weights import layers_to_start
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting


class DiracStart(Hook):
    """Makes the first outputs of every odd convolution, one for each input, that input itself.

    Outputs beyond the number of inputs keep the kernels that they have. So a deep network starts
    almost as shallow as its first layers, without shortcuts. Grouped convolutions, even kernels,
    frozen ones and those within blocks of branches stay as they are.

    Source: Zagoruyko and Komodakis, DiracNets, arXiv:1706.00388, as Jordan, arXiv:2404.00498,
    section 3.3 has it.

    Raises:
        ConfigError: there is no odd convolution without groups.
    """

    sets_first_weights = True

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        if not any(_is_odd(layer) for layer in setting.network.sublayers()):
            raise ConfigError(
                f"the hook DiracStart of {setting.recipe.section}.hooks is for networks with odd"
                " convolutions, this one has none; leave it out"
            )
        for layer in filter(_is_odd, layers_to_start(setting.network)):
            weight = layer.weight.numpy()
            outputs, inputs, height, width = weight.shape
            handed = np.arange(min(outputs, inputs))
            weight[handed] = 0.0
            weight[handed, handed, height // 2, width // 2] = 1.0
            layer.weight.set_value(weight)


def _is_odd(layer: nn.Layer) -> bool:
    """Whether it is a plain convolution without groups whose kernel has a middle."""
    plain = is_convolution(layer) and layer._groups == 1
    return plain and all(side % 2 for side in layer.weight.shape[2:])
