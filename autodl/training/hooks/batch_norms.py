"""Batch-norms that follow faster, or do not scale."""

from __future__ import annotations

from paddle import nn

from autodl.errors import ConfigError
from autodl.recipes.parts import BatchNormsOptions
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting


class BatchNorms(Hook):
    """Sets the momentum of all batch-norms' running statistics, and whether they learn scales.

    Paddle's momentum is the share of the old statistics that stays, 1 less PyTorch's.

    Raises:
        ConfigError: the network has no batch-norm.
    """

    def __init__(self, setting: Setting, options: BatchNormsOptions) -> None:
        layers = setting.network.sublayers()
        norms = [layer for layer in layers if isinstance(layer, nn.layer.norm._BatchNormBase)]
        if not norms:
            raise ConfigError(
                f"the hook BatchNorms of {setting.recipe.section}.hooks is for networks with"
                " batch-norms, this one has none; leave it out"
            )
        for norm in norms:
            if options.momentum is not None:
                norm._momentum = options.momentum
            norm.weight.stop_gradient = not options.scale
