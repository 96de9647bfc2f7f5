"""Convolutions that start by handing on what comes in."""

from __future__ import annotations

import numpy as np

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.networks.layers import is_convolution
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting


class DiracStart(Hook):
    """Makes the first outputs of every odd convolution, one for each input, that input itself.

    Outputs beyond the number of inputs keep the kernels that they have. So a deep network starts
    almost as shallow as its first layers, without shortcuts. Grouped convolutions, even kernels and
    layers that were replaced for the training stay as they are.

    Source: Zagoruyko and Komodakis, DiracNets, arXiv:1706.00388, as Jordan, arXiv:2404.00498,
    section 3.3 has it.

    Raises:
        ConfigError: there is no such convolution.
    """

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        found = [
            layer
            for layer in setting.network.sublayers()
            if is_convolution(layer) and layer._groups == 1
            if all(side % 2 for side in layer.weight.shape[2:]) and not layer.weight.stop_gradient
        ]
        if not found:
            raise ConfigError(
                f"the hook DiracStart of {setting.recipe.section}.hooks is for networks with odd"
                " convolutions, this one has none; leave it out"
            )
        for layer in found:
            weight = layer.weight.numpy()
            outputs, inputs, height, width = weight.shape
            handed = np.arange(min(outputs, inputs))
            weight[handed] = 0.0
            weight[handed, handed, height // 2, width // 2] = 1.0
            layer.weight.set_value(weight)
