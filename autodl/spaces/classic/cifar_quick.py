"""Cifar-quick: the small network of Caffe's example, with batch-norms (ACNet's repository)."""

from __future__ import annotations

from autodl.plans.layers import AvgPool, Flatten, MaxPool
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm_relu, two_linear


def cifar_quick_plan(*, classes: int = 10, image_size: int = 32) -> Plan:
    """Three 5x5 convolutions with pools of 3x3 and stride 2 behind them, then 64 features.

    Raises:
        ValueError: the pictures are smaller than 15x15.
    """
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm_relu(builder, 0, "stage0", 32, 5)
    x = builder.add("stage0.pool", MaxPool((3, 3), (2, 2)), x)
    for number, channels in ((1, 32), (2, 64)):
        x = conv_norm_relu(builder, x, f"stage{number}", channels, 5)
        x = builder.add(f"stage{number}.pool", AvgPool((3, 3), (2, 2)), x)
    two_linear(builder, builder.add("head.flatten", Flatten(), x), 64, classes)
    return builder.finish()
