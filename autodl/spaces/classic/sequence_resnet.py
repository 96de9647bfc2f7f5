"""A residual network for series (Wang, Yan and Oates, IJCNN 2017), made by hand."""

from __future__ import annotations

from autodl.plans.layers import Add, AsMap, Linear, Relu
from autodl.plans.plan import Plan, PlanBuilder
from autodl.spaces.sequence.plan import add_head, conv_norm

_KERNELS = (7, 5, 3)  # 8, 5, 3 in the article; an even one has no middle


def sequence_resnet_plan(*, channels: int, length: int, outputs: int, width: int = 64) -> Plan:
    """Three blocks of three convolutions, of ``width``, twice and twice the channels.

    Each block's input is added to its output, through a 1x1 convolution where the channels change;
    the mean over time is what the last layer reads.
    """
    builder = PlanBuilder((channels, length))
    x = builder.add("stem.map", AsMap(), 0)
    for number, factor in enumerate((1, 2, 2)):
        x = _block(builder, x, f"block{number}", factor * width)
    x = add_head(builder, x, "mean")
    builder.add("head.output", Linear(2 * width, outputs), x)
    return builder.finish()


def _block(builder: PlanBuilder, entry: int, name: str, channels: int) -> int:
    x = entry
    for number, size in enumerate(_KERNELS):
        if number:
            x = builder.add(f"{name}.relu{number}", Relu(), x)
        x = conv_norm(builder, x, f"{name}.conv{number}", channels, size)
    if builder.shape(entry)[0] != channels:
        entry = conv_norm(builder, entry, f"{name}.shortcut", channels, 1)
    x = builder.add(f"{name}.sum", Add(), x, entry)
    return builder.add(f"{name}.relu", Relu(), x)
