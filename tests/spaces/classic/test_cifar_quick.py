"""Cifar-quick: the authors' counts, and its pools."""

from __future__ import annotations

import pytest

from autodl.plans.fused import fused_plan
from autodl.plans.layers import AvgPool, MaxPool
from autodl.spaces.classic.cifar_quick import cifar_quick_plan


def test_counts():
    plan = cifar_quick_plan()
    assert fused_plan(plan).parameters == 116_906
    convolutions = (3 * 32 * 25) * 32**2 + (32 * 32 * 25) * 15**2 + (32 * 64 * 25) * 7**2
    assert plan.macs == fused_plan(plan).macs == convolutions + 576 * 64 + 64 * 10


def test_pools_take_32_to_15_to_7_to_3():
    records = cifar_quick_plan(classes=4).records
    pools = [record for record in records if isinstance(record.layer, AvgPool | MaxPool)]
    assert [record.shape for record in pools] == [(32, 15, 15), (32, 7, 7), (64, 3, 3)]
    assert [type(record.layer) for record in pools] == [MaxPool, AvgPool, AvgPool]
    assert records[-1].shape == (4,)


def test_smallest_pictures():
    assert cifar_quick_plan(image_size=15).output_shape == (10,)
    with pytest.raises(ValueError, match=r"stage2\.pool: a \(3, 3\) window does not fit"):
        cifar_quick_plan(image_size=14)
