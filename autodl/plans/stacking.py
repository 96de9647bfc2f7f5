"""Convolutions with norms, and classifiers: what plans of stacked networks are made of."""

from __future__ import annotations

from dataclasses import replace

from autodl.plans.layers import BatchNorm, Conv, Linear, Relu
from autodl.plans.plan import Plan, PlanBuilder


def conv(
    builder: PlanBuilder,
    x: int,
    name: str,
    channels: int,
    size: int,
    stride: int = 1,
    groups: int = 1,
) -> int:
    """Append an odd square convolution without bias, padded by half of it."""
    pad = size // 2
    layer = Conv(
        builder.shape(x)[0],
        channels,
        (size, size),
        (stride, stride),
        (pad, pad, pad, pad),
        groups=groups,
        bias=False,
    )
    return builder.add(name, layer, x)


def conv_norm(
    builder: PlanBuilder,
    x: int,
    name: str,
    channels: int,
    size: int,
    *,
    stride: int = 1,
    groups: int = 1,
) -> int:
    """Append such a convolution and a batch-norm.

    Epsilon and momentum are those of the authors' framework (PyTorch's 0.1 is Paddle's 0.9).
    """
    x = conv(builder, x, f"{name}.conv", channels, size, stride, groups)
    return builder.add(f"{name}.norm", BatchNorm(channels, momentum=0.9, epsilon=1e-5), x)


def conv_norm_relu(builder: PlanBuilder, x: int, name: str, channels: int, size: int) -> int:
    """The same, and a ReLU behind it."""
    return builder.add(f"{name}.relu", Relu(), conv_norm(builder, x, name, channels, size))


def two_linear(builder: PlanBuilder, x: int, hidden: int, classes: int) -> int:
    """Append the classifier of a hidden layer: linear, ReLU, linear."""
    (features,) = builder.shape(x)
    x = builder.add("head.hidden", Linear(features, hidden), x)
    x = builder.add("head.relu", Relu(), x)
    return builder.add("head.classifier", Linear(hidden, classes), x)


def without_scales(plan: Plan) -> Plan:
    """The plan with batch-norms that neither scale nor shift, wherever they are in a cell."""
    builder = PlanBuilder(plan.input_shape)
    for record in plan.records[1:]:
        layer = record.layer
        if isinstance(layer, BatchNorm) and ".cell" in f".{record.name}":
            layer = replace(layer, affine=False)
        builder.add(record.name, layer, *record.inputs)
    return builder.finish()
