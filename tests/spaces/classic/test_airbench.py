"""Airbench's network: the published counts, a formula for them, and the order of its layers."""

from itertools import pairwise

import numpy as np
import paddle
import pytest

from autodl.networks.costs import network_costs
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Add, BatchNorm, Conv, Gelu, MaxPool
from autodl.reparam.fusion import fuse
from autodl.spaces.classic.airbench import airbench_plan


def test_published_counts():
    """54 million MACs and 0.57 million parameters for 93 %, 1.97 million for 94 %."""
    small, large = airbench_plan(), airbench_plan(widths=(64, 256, 256))
    assert (round(small.macs / 1e6), round(small.parameters / 1e6, 2)) == (54, 0.57)
    assert (round(large.macs / 1e6), round(large.parameters / 1e6, 2)) == (118, 1.97)


@pytest.mark.parametrize("widths, classes", [((64, 128, 128), 10), ((5, 7, 3), 4)])
def test_counts_by_formula(widths, classes):
    """Maps of 31, 15 and 7 before the pools of the stages, 15, 7 and 3 behind them."""
    parameters, macs = 24 * 13, 24 * 12 * 31**2
    for (before, width), (side, half) in zip(
        pairwise((24, *widths)), [(31, 15), (15, 7), (7, 3)], strict=True
    ):
        parameters += 9 * width * (before + width) + 4 * width
        macs += 9 * width * (before * side**2 + width * half**2)
    plan = airbench_plan(widths=widths, classes=classes)
    assert plan.parameters == parameters + widths[-1] * classes
    assert plan.macs == macs + widths[-1] * classes
    built = network_costs(PlanNetwork(plan), (3, 32, 32))
    assert (built.parameters, built.macs) == (plan.parameters, plan.macs)


def test_three_convolutions_in_a_stage_are_the_authors_network_for_96_percent():
    """24, 128, 384, 512 channels; pooled behind the first convolution, its output added."""
    plan, parameters, macs = (
        airbench_plan(widths=(128, 384, 512), depth=3),
        24 * 13,
        24 * 12 * 31**2,
    )
    for before, width, side, half in ((24, 128, 31, 15), (128, 384, 15, 7), (384, 512, 7, 3)):
        parameters += 9 * width * (before + 2 * width) + 6 * width
        macs += 9 * width * (before * side**2 + 2 * width * half**2)
    assert (plan.parameters, plan.macs) == (parameters + 5120, macs + 5120)
    stage = [record for record in plan.records if record.name.startswith("stage2.")]
    assert [type(record.layer) for record in stage] == [
        *(Conv, MaxPool, BatchNorm, Gelu, Conv, BatchNorm, Gelu),
        *(Conv, BatchNorm, Add, Gelu),
    ]
    place = plan.records.index(stage[0])
    assert stage[-2].inputs == (place + 8, place + 3)  # the last norm, and the first activation
    norms = [record.layer for record in plan.records if isinstance(record.layer, BatchNorm)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-12)}


def test_it_pools_between_convolution_and_norm():
    """And nothing normalises behind the whitened convolution."""
    kinds = [type(record.layer) for record in airbench_plan().records]
    assert [kinds[i : i + 3] for i, kind in enumerate(kinds) if kind is MaxPool] == [
        [MaxPool, BatchNorm, type(airbench_plan().records[2].layer)]
    ] * 3
    assert all(kinds[i - 1] is Conv for i, kind in enumerate(kinds) if kind is MaxPool)
    assert kinds.count(BatchNorm) == 6
    assert kinds[2] is not BatchNorm


def test_what_is_deployed_gives_the_same():
    """Norms behind a pool stay, the others are folded into their convolutions; float32."""
    network = PlanNetwork(airbench_plan(widths=(4, 6, 5), image_size=16), 0)
    for layer in network.sublayers():
        if isinstance(layer, paddle.nn.BatchNorm2D):
            layer.bias.set_value(paddle.randn(layer.bias.shape))
            layer._mean.set_value(paddle.randn(layer.bias.shape))
    network.eval()
    x = paddle.randn([3, 3, 16, 16])
    fused = fuse(network)
    assert sum(isinstance(layer, paddle.nn.BatchNorm2D) for layer in fused.sublayers()) == 3
    np.testing.assert_allclose(fused(x).numpy(), network(x).numpy(), rtol=1e-4, atol=1e-5)


def test_it_takes_pictures_from_9x9():
    for side in (9, 20, 32, 40):
        network = PlanNetwork(airbench_plan(widths=(4, 4, 4), image_size=side))
        assert network(paddle.randn([2, 3, side, side])).shape == [2, 10]
    with pytest.raises(ValueError, match="9x9 pixels or more, got 8x8"):
        airbench_plan(image_size=8)
