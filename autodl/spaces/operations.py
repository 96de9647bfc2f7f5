"""The operations that a cell's nodes can apply, by name and by id.

An operation appends layers to a plan. It keeps the number of channels, or, when it
down-samples, halves height and width and doubles the channels. Ids 0 to 9 are those of the
original AutoDL Design; the table only ever grows at its end, and files store names, so an
id never changes its meaning. A plugin adds an operation with ``register_operation``.

All convolutions have a bias; padding is TensorFlow's SAME (AutoDL Design, 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from autodl.config.plugins import note_provided
from autodl.errors import EncodingError, did_you_mean
from autodl.plans.layers import AvgPool, Conv, MaxPool, Padding, Pair
from autodl.plans.plan import PlanBuilder

# builder, position of the input, name of the node, whether to down-sample -> position of the output
Build: TypeAlias = Callable[[PlanBuilder, int, str, bool], int]


@dataclass(frozen=True, slots=True)
class Operation:
    """A named operation, its fixed id and how it is spelled out in layers."""

    id: int
    name: str
    build: Build


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis so that it shrinks by ``stride`` alone, rounded up.

    TensorFlow's SAME: an odd zero goes to the end.
    """
    reach = dilation * (kernel - 1) + 1
    total = max(reach - (stride if size % stride == 0 else size % stride), 0)
    return total // 2, total - total // 2


def _padding(shape: tuple[int, ...], kernel: Pair, stride: Pair, dilation: int) -> Padding:
    top, bottom = same_padding(shape[1], kernel[0], stride[0], dilation)
    left, right = same_padding(shape[2], kernel[1], stride[1], dilation)
    return top, bottom, left, right


def same_conv(
    builder: PlanBuilder,
    x: int,
    name: str,
    channels: int,
    kernel: Pair,
    *,
    stride: Pair = (1, 1),
    dilation: int = 1,
    groups: int = 1,
) -> int:
    """Append a convolution with a bias and SAME padding."""
    shape = builder.shape(x)
    padding = _padding(shape, kernel, stride, dilation)
    layer = Conv(
        shape[0], channels, kernel, stride, padding, dilation=(dilation, dilation), groups=groups
    )
    return builder.add(name, layer, x)


def _conv(size: int, dilation: int = 1) -> Build:
    """A square convolution; down-sampling by stride 2, without dilation."""

    def build(builder: PlanBuilder, x: int, name: str, downsample: bool) -> int:
        channels, kernel = builder.shape(x)[0], (size, size)
        if downsample:
            return same_conv(builder, x, f"{name}.conv", 2 * channels, kernel, stride=(2, 2))
        return same_conv(builder, x, f"{name}.conv", channels, kernel, dilation=dilation)

    return build


def _conv_pair(size: int) -> Build:
    """1xk then kx1; down-sampling by strides (1, 2) and (2, 1), then 1x1 to twice the channels."""

    def build(builder: PlanBuilder, x: int, name: str, downsample: bool) -> int:
        channels = builder.shape(x)[0]
        row_stride, column_stride = ((1, 2), (2, 1)) if downsample else ((1, 1), (1, 1))
        x = same_conv(builder, x, f"{name}.row", channels, (1, size), stride=row_stride)
        x = same_conv(builder, x, f"{name}.column", channels, (size, 1), stride=column_stride)
        if not downsample:
            return x
        return same_conv(builder, x, f"{name}.widen", 2 * channels, (1, 1))

    return build


def _separable_conv(size: int) -> Build:
    """A depthwise convolution, then 1x1; down-sampling by stride 2 in the first."""

    def build(builder: PlanBuilder, x: int, name: str, downsample: bool) -> int:
        channels, kernel = builder.shape(x)[0], (size, size)
        stride, widen = ((2, 2), 2) if downsample else ((1, 1), 1)
        x = same_conv(
            builder, x, f"{name}.depthwise", channels, kernel, stride=stride, groups=channels
        )
        return same_conv(builder, x, f"{name}.pointwise", widen * channels, (1, 1))

    return build


def _pool(kind: str, size: int) -> Build:
    """A pool of stride 1; down-sampling by stride 2, then 1x1 to twice the channels.

    As in the original, an average leaves out the padding, and counts its zeros only where it
    down-samples and the padding is not symmetric.
    """

    def build(builder: PlanBuilder, x: int, name: str, downsample: bool) -> int:
        shape, kernel = builder.shape(x), (size, size)
        stride = (2, 2) if downsample else (1, 1)
        padding = _padding(shape, kernel, stride, 1)
        layer: MaxPool | AvgPool
        if kind == "max":
            layer = MaxPool(kernel, stride, padding)
        else:
            symmetric = padding[0] == padding[1] and padding[2] == padding[3]
            layer = AvgPool(kernel, stride, padding, count_padding=downsample and not symmetric)
        x = builder.add(f"{name}.pool", layer, x)
        if not downsample:
            return x
        return same_conv(builder, x, f"{name}.widen", 2 * shape[0], (1, 1))

    return build


def _skip_connect(builder: PlanBuilder, x: int, name: str, downsample: bool) -> int:
    """Identity; down-sampling by a 1x1 convolution of stride 2 to twice the channels."""
    if not downsample:
        return x
    return same_conv(builder, x, f"{name}.widen", 2 * builder.shape(x)[0], (1, 1), stride=(2, 2))


_TABLE: dict[str, Operation] = {}
_BY_ID: list[Operation] = []


PLUGIN_HINT = "If a plugin defines it, name the plugin in Global.plugins, or by --plugin"


def register_operation(name: str, build: Build) -> Operation:
    """Append an operation to the table and return it with its id.

    Raises:
        ValueError: the name is taken or is not a plain identifier.
    """
    if not name.isidentifier():
        raise ValueError(f"an operation's name is a plain identifier, got {name!r}")
    if name in _TABLE:
        raise ValueError(f"operation {name!r} exists already; choose another name")
    added = Operation(len(_BY_ID), name, build)
    _TABLE[name] = added
    _BY_ID.append(added)
    note_provided("operation", name)
    return added


for _name, _build in {
    "conv_1x1": _conv(1),
    "conv_3x3": _conv(3),
    "conv_5x5": _conv(5),
    "dil_conv_3x3": _conv(3, dilation=2),
    "conv_1x3_3x1": _conv_pair(3),
    "conv_1x5_5x1": _conv_pair(5),
    "max_pool_3x3": _pool("max", 3),
    "max_pool_5x5": _pool("max", 5),
    "avg_pool_3x3": _pool("avg", 3),
    "avg_pool_5x5": _pool("avg", 5),
    # not in the original's table of ten:
    "skip_connect": _skip_connect,
    "conv_2x2": _conv(2),
    "conv_4x4": _conv(4),
    "max_pool_2x2": _pool("max", 2),
    "max_pool_4x4": _pool("max", 4),
    "avg_pool_2x2": _pool("avg", 2),
    "avg_pool_4x4": _pool("avg", 4),
    "sep_conv_2x2": _separable_conv(2),
    "sep_conv_3x3": _separable_conv(3),
    "sep_conv_4x4": _separable_conv(4),
    "sep_conv_5x5": _separable_conv(5),
    "conv_1x2_2x1": _conv_pair(2),
    "conv_1x4_4x1": _conv_pair(4),
    "dilated_2x2": _conv(2, dilation=2),
}.items():
    register_operation(_name, _build)

ORIGINAL_OPERATIONS: tuple[str, ...] = tuple(_TABLE)[:10]


def operation_names() -> tuple[str, ...]:
    """Names of all operations in order of their ids."""
    return tuple(_TABLE)


def operation(key: int | str) -> Operation:
    """The operation with this id or name.

    Raises:
        EncodingError: there is none.
    """
    if isinstance(key, str):
        if key in _TABLE:
            return _TABLE[key]
        raise EncodingError(
            f"unknown operation {key[:60]!r}.{did_you_mean(key, _TABLE)}"
            f" Known: {', '.join(_TABLE)}."
            f" {PLUGIN_HINT}."
        )
    if not 0 <= key < len(_BY_ID):
        raise EncodingError(f"operation ids go from 0 to {len(_BY_ID) - 1}, got {key!r}")
    return _BY_ID[key]
