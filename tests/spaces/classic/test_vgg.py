"""VGG-16 for CIFAR: the authors' counts."""

from __future__ import annotations

import pytest

from autodl.plans.fused import fused_plan
from autodl.plans.layers import Conv
from autodl.spaces.classic.vgg import vgg16_plan


def test_counts_and_shapes():
    plan = vgg16_plan()
    assert plan.parameters == 14_986_698
    assert fused_plan(plan).parameters == 14_982_474
    maps = [record.shape for record in plan.records if isinstance(record.layer, Conv)]
    assert maps == [(64, 32, 32)] * 2 + [(128, 16, 16)] * 2 + [(256, 8, 8)] * 3 + (
        [(512, 4, 4)] * 3 + [(512, 2, 2)] * 3
    )
    assert plan.output_shape == (10,)


def test_other_sizes_and_classes():
    plan = vgg16_plan(classes=7, image_size=64)
    assert plan.output_shape == (7,)
    assert plan.parameters == 14_986_698 + 3 * 512 * 512 - 3 * 513  # 2x2 maps are flattened
    with pytest.raises(ValueError, match=r"stage4\.pool: a \(2, 2\) window does not fit"):
        vgg16_plan(image_size=31)
