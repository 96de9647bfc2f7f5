"""VGG-16 for CIFAR: batch-norms, and 512 features in place of 4096 (ACNet's repository)."""

from __future__ import annotations

from autodl.plans.layers import Flatten, MaxPool
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm_relu, two_linear

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions


def vgg16_plan(*, classes: int = 10, image_size: int = 32) -> Plan:
    """13 convolutions of 3x3 in five stages, each of which ends by halving the maps.

    Raises:
        ValueError: the pictures are smaller than 32x32.
    """
    builder = PlanBuilder((3, image_size, image_size))
    x = 0
    for stage, (channels, convolutions) in enumerate(_STAGES):
        for index in range(convolutions):
            x = conv_norm_relu(builder, x, f"stage{stage}.layer{index}", channels, 3)
        x = builder.add(f"stage{stage}.pool", MaxPool((2, 2), (2, 2)), x)
    two_linear(builder, builder.add("head.flatten", Flatten(), x), 512, classes)
    return builder.finish()
