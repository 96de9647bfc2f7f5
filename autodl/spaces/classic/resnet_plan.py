"""Residual networks with a channel number of its own for every layer (He et al., CVPR 2016).

ResNet-20, 56, 110 (depth ``6 n + 2``) for small pictures, and ResNet-18. As every layer may have
another width, a shortcut is the identity only where the shape stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from autodl.errors import ConfigError
from autodl.plans.layers import Add, AvgPool, Conv, GlobalAvgPool, Linear, MaxPool, Relu
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm, conv_norm_relu

# where the shape changes, "pool": mean of 2x2 and a 1x1 convolution alone;
# "pool_norm": the same, and a batch-norm where the stride is 1 (APS' retraining);
# "norm": a 1x1 convolution with stride and a batch-norm; "always": the same in every block
Shortcuts: TypeAlias = Literal["pool", "pool_norm", "norm", "always"]
_SMALL = 64  # pictures up to here keep their size in the stem


def cifar_resnet_plan(
    channels: Sequence[int],
    *,
    classes: int = 10,
    image_size: int = 32,
    shortcuts: Shortcuts = "pool",
) -> Plan:
    """Stem, three stages of ``n`` blocks of two 3x3 convolutions, pooled features, classifier.

    Args:
        channels: of the stem, then of both convolutions of each block: ``6 n + 1`` numbers.

    Raises:
        ConfigError: another number of channels, or one below 1.
    """
    blocks, rest = divmod(len(channels) - 1, 6)
    if rest or blocks < 1:
        raise ConfigError(
            f"a ResNet of depth 6 n + 2 has 6 n + 1 channel numbers, got {len(channels)}"
        )
    _check(channels)
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm_relu(builder, 0, "stem", channels[0], 3)
    return _finish(builder, x, channels[1:], 3, classes, shortcuts)


def resnet18_plan(
    channels: Sequence[int],
    *,
    classes: int = 1000,
    image_size: int = 224,
    shortcuts: Shortcuts = "norm",
) -> Plan:
    """The network of ImageNet: stem of 7x7 and a pool, then four stages of two blocks.

    Pictures up to 64x64 keep their size in the stem, which then is one 3x3 convolution.

    Args:
        channels: of the stem, then of both convolutions of each block: 17 numbers.

    Raises:
        ConfigError: another number of channels, or one below 1.
    """
    if len(channels) != 17:
        raise ConfigError(f"a ResNet-18 has 17 channel numbers, got {len(channels)}")
    _check(channels)
    builder = PlanBuilder((3, image_size, image_size))
    if image_size <= _SMALL:
        x = conv_norm_relu(builder, 0, "stem", channels[0], 3)
    else:
        x = conv_norm(builder, 0, "stem", channels[0], 7, stride=2)
        x = builder.add("stem.relu", Relu(), x)
        x = builder.add("stem.pool", MaxPool((3, 3), (2, 2), (1, 1, 1, 1)), x)
    return _finish(builder, x, channels[1:], 4, classes, shortcuts)


def _check(channels: Sequence[int]) -> None:
    if bad := [number for number in channels if number < 1]:
        raise ConfigError(f"a layer has at least 1 channel, got {bad[0]}")


def _finish(
    builder: PlanBuilder,
    x: int,
    channels: Sequence[int],
    stages: int,
    classes: int,
    shortcuts: Shortcuts,
) -> Plan:
    """Append the blocks and the classifier."""
    pairs = list(zip(channels[::2], channels[1::2], strict=True))
    for number, (inner, outer) in enumerate(pairs):
        stage, index = divmod(number, len(pairs) // stages)
        stride = 2 if stage and not index else 1
        x = _block(builder, x, f"stage{stage}.block{index}", inner, outer, stride, shortcuts)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    builder.add("head.classifier", Linear(channels[-1], classes), x)
    return builder.finish()


def _block(
    builder: PlanBuilder,
    entry: int,
    name: str,
    inner: int,
    outer: int,
    stride: int,
    shortcuts: Shortcuts,
) -> int:
    x = conv_norm(builder, entry, f"{name}.first", inner, 3, stride=stride)
    x = builder.add(f"{name}.first.relu", Relu(), x)
    x = conv_norm(builder, x, f"{name}.second", outer, 3)
    bypass = entry
    if shortcuts == "always" or stride > 1 or builder.shape(entry)[0] != outer:
        bypass = _shortcut(builder, entry, f"{name}.shortcut", outer, stride, shortcuts)
    x = builder.add(f"{name}.sum", Add(), x, bypass)
    return builder.add(f"{name}.relu", Relu(), x)


def _shortcut(
    builder: PlanBuilder, x: int, name: str, channels: int, stride: int, kind: Shortcuts
) -> int:
    if kind not in ("pool", "pool_norm") or (kind == "pool_norm" and stride == 1):
        return conv_norm(builder, x, name, channels, 1, stride=stride)
    inputs, height, width = builder.shape(x)
    if stride > 1:
        odd = (0, height % 2, 0, width % 2)  # rounded up, as the convolutions beside it do
        x = builder.add(f"{name}.pool", AvgPool((2, 2), (2, 2), odd), x)
    return builder.add(f"{name}.conv", Conv(inputs, channels, (1, 1), bias=False), x)
