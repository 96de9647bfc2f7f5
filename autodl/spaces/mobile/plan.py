"""The network of seven mobile blocks, as a plan (EAT-NAS; MobileNetV2's outline).

A stem of 3x3, the blocks, a 1x1 convolution, the pooled features, the classifier. Layers follow the
authors' public code: no biases, ReLU (not ReLU6), a batch-norm behind every convolution. The names
of records say block, layer and role, so that networks of different widths and depths have the
layers in common that weights can be shared between. The auxiliary classifier of the public code is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from autodl.errors import ConfigError
from autodl.plans.layers import (
    Add,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAvgPool,
    Linear,
    Relu,
)
from autodl.plans.plan import Plan, PlanBuilder
from autodl.spaces.mobile.architecture import BLOCKS, MobileArchitecture, MobileBlock

BASE_WIDTHS = (16, 24, 32, 64, 96, 160, 320)
# of the stem, then of each block's first layer
LARGE_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)  # as published: pictures of 224 end as maps of 7x7
SMALL_STRIDES = (1, 1, 1, 2, 2, 1, 2, 1)  # not published for CIFAR; 32 end as 4x4
_SMALL = 64
_EXPANSION = {"mb_conv_3": 3, "mb_conv_6": 6}


def mobile_plan(
    architecture: MobileArchitecture,
    *,
    classes: int = 10,
    image_size: int = 32,
    base_widths: Sequence[int] = BASE_WIDTHS,
    stem_width: int = 32,
    head_width: int = 1280,
    compounding: bool = False,
    skip_on_change: str = "project",
    sep_conv_skip: bool = True,
    strides: Sequence[int] | None = None,
    dropout: float = 0.2,
) -> Plan:
    """Spell out the layers of an architecture's network.

    Args:
        image_size: height and width of the RGB input.
        base_widths, stem_width, compounding: see ``block_widths``.
        head_width: channels of the convolution before the classifier.
        skip_on_change: what an MBConv with ``skip`` gets whose stride or widths rule out the
            identity: ``project``, a 1x1 convolution and a batch-norm beside it (the public code),
            or ``none`` (the article). A SepConv gets none either way.
        sep_conv_skip: whether a SepConv with ``skip`` has the identity beside it where the shape is
            kept (the article); the public code builds its shortcut and does not add it.
        strides: of the stem and of each block's first layer; None takes ``LARGE_STRIDES`` for
            pictures over 64x64 and ``SMALL_STRIDES`` for others.
        dropout: share of the pooled features that is dropped while training.

    Raises:
        ConfigError: an argument is out of range, or the architecture is of another space.
    """
    if not isinstance(architecture, MobileArchitecture):
        raise ConfigError(
            f"MobileNetwork is made of mobile blocks, got a {type(architecture).__name__}; name the"
            " Network of the architecture's own space"
        )
    counts = {"classes": classes, "image_size": image_size, "head_width": head_width}
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"Network.{name} must be at least 1, got {value}")
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"Network.dropout must be at least 0 and below 1, got {dropout}")
    if skip_on_change not in ("project", "none"):
        raise ConfigError(f"Network.skip_on_change must be project or none, got {skip_on_change!r}")
    if strides is None:
        strides = SMALL_STRIDES if image_size <= _SMALL else LARGE_STRIDES
    if len(strides) != BLOCKS + 1 or min(strides) < 1:
        raise ConfigError(
            f"Network.strides must be {BLOCKS + 1} numbers from 1 (the stem's, then one for each"
            f" block), got {list(strides)}"
        )
    widths = block_widths(
        architecture, base_widths=base_widths, stem_width=stem_width, compounding=compounding
    )

    builder = PlanBuilder((3, image_size, image_size))
    x = _conv_norm(builder, 0, "stem", stem_width, 3, stride=strides[0], relu=True)
    blocks = zip(architecture.blocks, widths, strides[1:], strict=True)
    for number, (block, width, stride) in enumerate(blocks):
        for layer in range(block.depth):
            name = f"block{number}.layer{layer}"
            first = stride if layer == 0 else 1
            if block.operation == "sep_conv":
                x = _add_sep_conv(builder, x, name, block, width, first, sep_conv_skip)
            else:
                x = _add_mb_conv(builder, x, name, block, width, first, skip_on_change == "project")
    x = _conv_norm(builder, x, "head", head_width, 1, relu=True)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    x = builder.add("head.dropout", Dropout(dropout), x)
    builder.add("head.classifier", Linear(head_width, classes), x)
    return builder.finish()


def block_widths(
    architecture: MobileArchitecture,
    *,
    base_widths: Sequence[int] = BASE_WIDTHS,
    stem_width: int = 32,
    compounding: bool = False,
) -> tuple[int, ...]:
    """Output channels of every block, rounded down, at least 1.

    A block's width factor multiplies its base width or, with ``compounding``, the width of the
    block before, the stem's for the first. The authors' code has both rules (its switch
    ``mbv2base``), the article's wording fits the second.

    Raises:
        ConfigError: not seven base widths, or a width below 1.
    """
    if len(base_widths) != BLOCKS or min(*base_widths, stem_width) < 1:
        raise ConfigError(
            f"Network.base_widths must be {BLOCKS} numbers from 1, and stem_width at least 1; got"
            f" {list(base_widths)} and {stem_width}"
        )
    widths: list[int] = []
    for block, base in zip(architecture.blocks, base_widths, strict=True):
        before = widths[-1] if widths else stem_width
        widths.append(max(int((before if compounding else base) * block.width), 1))
    return tuple(widths)


def _add_sep_conv(
    builder: PlanBuilder,
    entry: int,
    name: str,
    block: MobileBlock,
    width: int,
    stride: int,
    skips: bool,
) -> int:
    """Append one layer of a block of separable convolutions, with the identity if it has one."""
    same_shape = builder.shape(entry)[0] == width and stride == 1
    depthwise, pointwise = f"{name}.sep.depthwise", f"{name}.sep.pointwise"
    x = _conv_norm(builder, entry, depthwise, None, block.kernel, stride=stride, relu=True)
    x = _conv_norm(builder, x, pointwise, width, 1, relu=True)
    return builder.add(f"{name}.sum", Add(), x, entry) if block.skip and same_shape and skips else x


def _add_mb_conv(
    builder: PlanBuilder,
    entry: int,
    name: str,
    block: MobileBlock,
    width: int,
    stride: int,
    project: bool,
) -> int:
    """Append one layer of a block of inverted bottlenecks, with its skip connection if any."""
    same_shape = builder.shape(entry)[0] == width and stride == 1
    hidden, depthwise = (
        _EXPANSION[block.operation] * builder.shape(entry)[0],
        f"{name}.mb.depthwise",
    )
    x = _conv_norm(builder, entry, f"{name}.mb.expand", hidden, 1, relu=True)
    x = _conv_norm(builder, x, depthwise, None, block.kernel, stride=stride, relu=True)
    x = _conv_norm(builder, x, f"{name}.mb.project", width, 1)
    if not block.skip or not (same_shape or project):
        return x
    if not same_shape:
        entry = _conv_norm(builder, entry, f"{name}.mb.bypass", width, 1, stride=stride)
    return builder.add(f"{name}.sum", Add(), x, entry)


def _conv_norm(
    builder: PlanBuilder,
    x: int,
    name: str,
    channels: int | None,
    size: int,
    *,
    stride: int = 1,
    relu: bool = False,
) -> int:
    """Append a convolution, padded by half of its size, its batch-norm and perhaps a ReLU.

    ``channels`` None stands for a depthwise convolution.
    """
    inputs, pad = builder.shape(x)[0], size // 2
    layer = Conv(
        inputs,
        inputs if channels is None else channels,
        (size, size),
        (stride, stride),
        (pad, pad, pad, pad),
        groups=inputs if channels is None else 1,
        bias=False,
    )
    x = builder.add(f"{name}.conv", layer, x)
    norm = BatchNorm(builder.shape(x)[0], momentum=0.9, epsilon=2e-5)
    x = builder.add(f"{name}.norm", norm, x)
    return builder.add(f"{name}.relu", Relu(), x) if relu else x
