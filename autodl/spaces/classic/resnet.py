"""ResNet-20 to 110 for CIFAR as published: every stage of one width (He et al., CVPR 2016)."""

from __future__ import annotations

from autodl.errors import ConfigError
from autodl.plans.plan import Plan
from autodl.spaces.classic.resnet_plan import cifar_resnet_plan


def resnet_plan(
    *, depth: int = 110, width: int = 16, classes: int = 10, image_size: int = 32
) -> Plan:
    """Three stages of ``(depth - 2) / 6`` blocks, of ``width``, twice and four times the channels.

    Where the shape changes, the shortcut is a 1x1 convolution with a batch-norm (option B of the
    paper, whose small networks have padded zeros there).

    Raises:
        ConfigError: no network has this depth, or no channels.
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ConfigError(f"Network.depth must be 8, 14, 20 ... 110 ... (6 n + 2), got {depth}")
    if width < 1:
        raise ConfigError(f"Network.width must be at least 1, got {width}")
    stages = [channels for factor in (1, 2, 4) for channels in [factor * width] * (2 * blocks)]
    return cifar_resnet_plan(
        [width, *stages], classes=classes, image_size=image_size, shortcuts="norm"
    )
