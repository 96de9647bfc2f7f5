"""The network of a chain of blocks, as a plan.

A 1x1 stem to the width of all blocks, the blocks, the head, one linear layer. Convolutions keep the
length by zeros on both sides: a window lies wholly in the past, so nothing is known too early.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from autodl.errors import ConfigError
from autodl.plans.layers import (
    Add,
    AsMap,
    AvgPool,
    BatchNorm,
    Conv,
    Crop,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Gru,
    Linear,
    Lstm,
    MaxPool,
    Product,
    Relu,
    Scale,
    Sigmoid,
)
from autodl.plans.plan import Plan, PlanBuilder
from autodl.spaces.sequence.architecture import SequenceArchitecture, SequenceBlock

# builder, position of the input, name of the block -> position of the output
Build: TypeAlias = Callable[[PlanBuilder, int, str], int]


def sequence_plan(
    architecture: SequenceArchitecture,
    *,
    channels: int,
    length: int,
    outputs: int,
    width: int = 32,
    dropout: float = 0.0,
) -> Plan:
    """Spell out the layers of an architecture's network for series ``[channels, length]``.

    Args:
        outputs: numbers that the network gives: logits of classes, or predicted values.
        width: channels of all blocks.
        dropout: share of the features that is dropped while training.

    Raises:
        ConfigError: an argument is out of range, or the architecture is of another space.
    """
    if not isinstance(architecture, SequenceArchitecture):
        raise ConfigError(
            f"SequenceNetwork is made of blocks for series, got a {type(architecture).__name__};"
            " name the Network of the architecture's own space"
        )
    if min(channels, length, outputs, width) < 1:
        raise ConfigError(
            "channels, length, outputs and Network.width must be at least 1, got"
            f" {channels}, {length}, {outputs} and {width}"
        )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"Network.dropout must be at least 0 and below 1, got {dropout}")
    builder = PlanBuilder((channels, length))
    x = builder.add("stem.map", AsMap(), 0)
    x = conv_norm(builder, x, "stem", width, 1)
    for number, block in enumerate(architecture.blocks):
        x = _add_block(builder, x, f"block{number}", block)
    x = add_head(builder, x, architecture.head)
    if dropout:
        x = builder.add("head.dropout", Dropout(dropout), x)
    builder.add("head.output", Linear(width, outputs), x)
    return builder.finish()


def conv_norm(
    builder: PlanBuilder,
    x: int,
    name: str,
    channels: int,
    size: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> int:
    """Append a convolution over time of odd size, without bias, and a batch-norm.

    It is padded so that the length is divided by the stride alone, rounded up.
    """
    pad = dilation * (size // 2)
    layer = Conv(
        builder.shape(x)[0],
        channels,
        (1, size),
        (1, stride),
        (0, 0, pad, pad),
        (1, dilation),
        groups,
        bias=False,
    )
    x = builder.add(f"{name}.conv", layer, x)
    return builder.add(f"{name}.norm", BatchNorm(channels, epsilon=1e-5), x)


def add_head(builder: PlanBuilder, x: int, head: str) -> int:
    """Append what makes one row of features of all steps."""
    length = builder.shape(x)[2]
    if head == "mean":
        return builder.add("head.mean", GlobalAvgPool(), x)
    if head == "max":
        x = builder.add("head.max", MaxPool((1, length), (1, length)), x)
    else:
        x = builder.add("head.last", Crop(0, length - 1), x)
    return builder.add("head.features", Flatten(), x)


def _add_block(builder: PlanBuilder, entry: int, name: str, block: SequenceBlock) -> int:
    x = _BUILD[block.operation](builder, entry, f"{name}.operation")
    if block.gate != "none":
        x = _GATES[block.gate](builder, x, entry, f"{name}.gate")
    if block.skip:
        x = builder.add(f"{name}.sum", Add(), x, entry)
    if block.halve and builder.shape(x)[2] > 1:  # of one step nothing is left to halve
        x = builder.add(f"{name}.halve", MaxPool((1, 2), (1, 2)), x)
    return x


def _conv(size: int, *, dilation: int = 1) -> Build:
    def build(builder: PlanBuilder, x: int, name: str) -> int:
        x = conv_norm(builder, x, name, builder.shape(x)[0], size, dilation=dilation)
        return builder.add(f"{name}.relu", Relu(), x)

    return build


def _separable_conv(size: int) -> Build:
    """One kernel for each channel, then 1x1."""

    def build(builder: PlanBuilder, x: int, name: str) -> int:
        channels = builder.shape(x)[0]
        x = conv_norm(builder, x, f"{name}.depthwise", channels, size, groups=channels)
        x = conv_norm(builder, x, f"{name}.pointwise", channels, 1)
        return builder.add(f"{name}.relu", Relu(), x)

    return build


def _max_pool(builder: PlanBuilder, x: int, name: str) -> int:
    return builder.add(f"{name}.pool", MaxPool((1, 3), (1, 1), (0, 0, 1, 1)), x)


def _avg_pool(builder: PlanBuilder, x: int, name: str) -> int:
    return builder.add(f"{name}.pool", AvgPool((1, 3), (1, 1), (0, 0, 1, 1)), x)


def _recurrent(kind: type[Lstm] | type[Gru]) -> Build:
    def build(builder: PlanBuilder, x: int, name: str) -> int:
        channels = builder.shape(x)[0]
        return builder.add(f"{name}.cells", kind(channels, channels), x)

    return build


def _skip_connect(builder: PlanBuilder, x: int, name: str) -> int:
    return x


_BUILD: dict[str, Build] = {
    "conv_3": _conv(3),
    "conv_5": _conv(5),
    "conv_9": _conv(9),
    "dil_conv_3_by_2": _conv(3, dilation=2),
    "dil_conv_3_by_4": _conv(3, dilation=4),
    "dil_conv_3_by_8": _conv(3, dilation=8),
    "sep_conv_9": _separable_conv(9),
    "sep_conv_17": _separable_conv(17),
    "max_pool_3": _max_pool,
    "avg_pool_3": _avg_pool,
    "lstm": _recurrent(Lstm),
    "gru": _recurrent(Gru),
    "skip_connect": _skip_connect,
}


def _linear_gate(builder: PlanBuilder, x: int, entry: int, name: str) -> int:
    channels = builder.shape(entry)[0]
    return _gate(builder, x, entry, name, channels)


def _temporal_gate(builder: PlanBuilder, x: int, entry: int, name: str) -> int:
    return _gate(builder, x, entry, name, 1)


def _gate(builder: PlanBuilder, x: int, entry: int, name: str, channels: int) -> int:
    """Multiply by the sigmoid of a 1x1 convolution of what entered."""
    layer = Conv(builder.shape(entry)[0], channels, (1, 1))
    share = builder.add(f"{name}.conv", layer, entry)
    share = builder.add(f"{name}.sigmoid", Sigmoid(), share)
    return builder.add(f"{name}.product", Product(), x, share)


def _channel_gate(builder: PlanBuilder, x: int, entry: int, name: str) -> int:
    channels = builder.shape(entry)[0]
    share = builder.add(f"{name}.mean", GlobalAvgPool(), entry)
    share = builder.add(f"{name}.linear", Linear(channels, channels), share)
    share = builder.add(f"{name}.sigmoid", Sigmoid(), share)
    return builder.add(f"{name}.product", Scale(), x, share)


_GATES: dict[str, Callable[[PlanBuilder, int, int, str], int]] = {
    "linear": _linear_gate,
    "temporal": _temporal_gate,
    "channel": _channel_gate,
}
