"""Weight decay of RepVGG's blocks as it acts on what they become."""

from __future__ import annotations

import paddle

from autodl.errors import ConfigError
from autodl.recipes.parts import WeightOptions
from autodl.reparam.repvgg import RepVGGBlock, custom_l2
from autodl.training.setting import Setting
from autodl.training.terms.term import Step


class RepVGGL2:
    """``weight / 2`` times the authors' L2 of the fused kernels, in place of their weight decay.

    ``weight`` is what ``Train.weight_decay`` would be, which no longer acts on the kernels of the
    blocks, and acts on the rest as before. See ``custom_l2``.

    Raises:
        ConfigError: the network has no such blocks.
    """

    def __init__(self, setting: Setting, options: WeightOptions) -> None:
        self._weight = options.weight
        layers = setting.network.sublayers(include_self=True)
        blocks = [layer for layer in layers if isinstance(layer, RepVGGBlock)]
        if not blocks:
            section = setting.recipe.section
            raise ConfigError(
                f"the term RepVGGL2 of {section} is for RepVGG's blocks; set"
                f" {section}.branches=repvgg (or parts of {section}.form), or leave it out"
            )
        for block in blocks:  # before the optimiser looks at what decays
            block.decay_in_loss()

    def loss(self, step: Step) -> paddle.Tensor:
        """See ``Term``."""
        return 0.5 * self._weight * custom_l2(step.network)
