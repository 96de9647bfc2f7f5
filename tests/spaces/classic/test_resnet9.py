"""ResNet-9: counts against a formula, and the network that is built from the plan."""

import paddle
import pytest

from autodl.networks.network import PlanNetwork
from autodl.spaces.classic.resnet9 import resnet9_plan


@pytest.mark.parametrize("width, classes", [(64, 10), (20, 10), (3, 7)])
def test_counts_by_formula(width, classes):
    """Eight 3x3 convolutions, each with scale and shift, and the classifier."""
    w = width
    pairs = [(3, w, 32), (w, 2 * w, 32), (2 * w, 2 * w, 16), (2 * w, 2 * w, 16)]
    pairs += [(2 * w, 4 * w, 16), (4 * w, 8 * w, 8), (8 * w, 8 * w, 4), (8 * w, 8 * w, 4)]
    plan = resnet9_plan(width=width, classes=classes)
    weights = sum(9 * a * b + 2 * b for a, b, _ in pairs)
    assert plan.parameters == weights + (8 * w + 1) * classes
    assert plan.macs == sum(9 * a * b * side**2 for a, b, side in pairs) + 8 * w * classes


def test_it_is_built_and_takes_pictures_from_8x8():
    for side in (8, 20, 32):
        network = PlanNetwork(resnet9_plan(width=4, image_size=side))
        assert network(paddle.randn([2, 3, side, side])).shape == [2, 10]
    with pytest.raises(ValueError, match="does not fit"):
        resnet9_plan(width=4, image_size=7)
