"""ResNets for CIFAR: the paper's depths and sizes."""

from __future__ import annotations

import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import Conv, Linear
from autodl.recipes.config import load_train
from autodl.spaces.classic.resnet import resnet_plan


@pytest.mark.parametrize("depth, without", [(20, 269_722), (56, 853_018), (110, 1_727_962)])
def test_parameters_of_the_paper_and_of_two_shortcuts(depth, without):
    """The paper's table 6 rounds the first to 0.27, 0.85 and 1.7 million; two are added here."""
    plan = resnet_plan(depth=depth)
    assert plan.parameters == without + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    layers = [r for r in plan.records if isinstance(r.layer, Conv | Linear)]
    assert len([r for r in layers if "shortcut" not in r.name]) == depth
    maps = [r.shape for r in plan.records if r.name.endswith("sum")]
    assert maps == [
        shape for shape in ((16, 32, 32), (32, 16, 16), (64, 8, 8)) for _ in range((depth - 2) // 6)
    ]


@pytest.mark.parametrize("depth", [2, 18, 109])
def test_other_depths(depth):
    with pytest.raises(ConfigError, match=rf"Network\.depth must be 8, 14, 20 .* got {depth}"):
        resnet_plan(depth=depth)
    with pytest.raises(ConfigError, match="width must be at least 1, got 0"):
        resnet_plan(width=0)


def test_the_shipped_config():
    config = load_train("train/resnet110.yaml")
    plan = config.network.factory()(**config.network.arguments())
    assert plan == resnet_plan(depth=110)
