"""ResNet-9: a hand-made network for fast training on CIFAR-10 (Page, DAWNBench 2018)."""

from __future__ import annotations

from autodl.plans.layers import Add, GlobalAvgPool, Linear, MaxPool
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm_relu


def resnet9_plan(*, classes: int = 10, image_size: int = 32, width: int = 64) -> Plan:
    """Four stages of 1, 2, 4 and 8 times ``width`` channels, residual pairs in the second and last.

    The original's width is 64; it ends in a maximum over the map and scales its output by 1/8. Here
    it is the mean, which takes pictures of any size, and the classifier learns the scale.

    Raises:
        ValueError: the pictures are smaller than 8x8.
    """
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm_relu(builder, 0, "stage0", width, 3)
    for stage, residual in ((1, True), (2, False), (3, True)):
        channels = width * 2**stage
        x = conv_norm_relu(builder, x, f"stage{stage}", channels, 3)
        x = builder.add(f"stage{stage}.pool", MaxPool((2, 2), (2, 2)), x)
        if residual:
            inner = conv_norm_relu(builder, x, f"stage{stage}.residual0", channels, 3)
            inner = conv_norm_relu(builder, inner, f"stage{stage}.residual1", channels, 3)
            x = builder.add(f"stage{stage}.sum", Add(), x, inner)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    builder.add("head.classifier", Linear(width * 8, classes), x)
    return builder.finish()
