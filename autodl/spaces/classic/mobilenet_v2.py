"""MobileNet-v2 with a channel number for every layer (Sandler et al., CVPR 2018).

ReLU in place of ReLU6, as in the mobile networks of this project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autodl.errors import ConfigError
from autodl.plans.layers import Add, Dropout, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm
from autodl.spaces.mobile.plan import LARGE_STRIDES, SMALL_STRIDES

STAGE_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
LAYERS = 52  # stem; depthwise and last of block 0; three layers of 16 blocks; head
_SMALL = 64


def mobilenet_v2_plan(
    channels: Sequence[int],
    *,
    classes: int = 1000,
    image_size: int = 224,
    dropout: float = 0.0,
) -> Plan:
    """Stem, 17 inverted residual blocks in seven stages, a 1x1 convolution, classifier.

    Args:
        channels: of every layer in order, 52 numbers. A depthwise layer has those of the layer
            before it. Blocks behind the first of a stage add their input where widths agree.
        image_size: pictures up to 64x64 have the strides of the mobile space's small networks.

    Raises:
        ConfigError: another number of channels, one below 1, or a depthwise layer that differs.
    """
    if len(channels) != LAYERS:
        raise ConfigError(f"a MobileNet-v2 has {LAYERS} channel numbers, got {len(channels)}")
    if bad := [number for number in channels if number < 1]:
        raise ConfigError(f"a layer has at least 1 channel, got {bad[0]}")
    strides = SMALL_STRIDES if image_size <= _SMALL else LARGE_STRIDES
    numbers = iter(channels)
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm(builder, 0, "stem", next(numbers), 3, stride=strides[0])
    x = builder.add("stem.relu", Relu(), x)
    for stage, blocks in enumerate(STAGE_BLOCKS):
        for index in range(blocks):
            stride = strides[stage + 1] if index == 0 else 1
            x = _block(builder, x, f"stage{stage}.block{index}", numbers, stride, stage > 0)
    x = conv_norm(builder, x, "last", next(numbers), 1)
    x = builder.add("last.relu", Relu(), x)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    if dropout:
        x = builder.add("head.dropout", Dropout(dropout), x)
    builder.add("head.classifier", Linear(builder.shape(x)[0], classes), x)
    return builder.finish()


def _block(
    builder: PlanBuilder, entry: int, name: str, numbers: Iterator[int], stride: int, expands: bool
) -> int:
    x = entry
    if expands:
        x = conv_norm(builder, x, f"{name}.expand", next(numbers), 1)
        x = builder.add(f"{name}.expand.relu", Relu(), x)
    hidden, own = builder.shape(x)[0], next(numbers)
    if own != hidden:
        raise ConfigError(
            f"the depthwise layer of {name} has the {hidden} channels before it, got {own}"
        )
    x = conv_norm(builder, x, f"{name}.depthwise", hidden, 3, stride=stride, groups=hidden)
    x = builder.add(f"{name}.depthwise.relu", Relu(), x)
    x = conv_norm(builder, x, f"{name}.project", next(numbers), 1)
    # the first block of a stage never adds, even where stride and widths would allow it
    if name.endswith("block0") or builder.shape(x) != builder.shape(entry):
        return x
    return builder.add(f"{name}.sum", Add(), x, entry)
