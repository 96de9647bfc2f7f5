"""Batch-norms that follow faster, or do not scale."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.errors import ConfigError
from autodl.recipes.parts import BatchNormsOptions
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Epoch, Setting


class BatchNorms(Hook):
    """Sets the momentum of all batch-norms' running statistics, and whether they learn scales.

    Paddle's momentum is the share of the old statistics that stays, 1 less PyTorch's. A scale that
    is not learned is put back after every update: without a gradient of the scale, Paddle gives the
    shift none either.

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
        scales = [] if options.scale else [norm.weight for norm in norms]
        self._scales = [scale for scale in scales if scale is not None]
        self._kept: list[paddle.Tensor] = []

    def before_epoch(self, epoch: Epoch) -> None:
        """Note the scales, which are those of the start."""
        self._kept = [scale.detach().clone() for scale in self._scales]

    def after_step(self) -> None:
        """Put them back."""
        for scale, kept in zip(self._scales, self._kept, strict=True):
            scale.set_value(kept)
