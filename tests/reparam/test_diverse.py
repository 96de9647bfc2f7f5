"""The diverse branch block: each branch alone, dense, grouped and depthwise."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.reparam.branches import IdentityConv2D
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.errors import ReparameterisationError

BRANCHES = {"dense", "point", "point_dense", "point_average"}


def silence(branch):
    """Scale and shift of the last batch-norm to zero: the branch adds nothing."""
    norm = list(branch.children())[-1]
    norm.weight.set_value(paddle.zeros_like(norm.weight))
    norm.bias.set_value(paddle.zeros_like(norm.bias))


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("kernel, stride", [(3, 1), (3, 2), (5, 1), ((3, 5), 2)])
def test_each_branch_alone(depthwise, kernel, stride, tell):
    """All others silenced, both forms are the one that is left; 1e-9 as specified for blocks."""
    padding = tuple(k // 2 for k in (kernel if isinstance(kernel, tuple) else (kernel, kernel)))
    channels, out, groups = (6, 6, 6) if depthwise else (4, 6, 2)
    x = tell.inputs(2, channels, 9, 12)
    names = BRANCHES - {"point"} if depthwise else BRANCHES
    for kept in sorted(names):
        block = DiverseBranchBlock(channels, out, kernel, stride, padding, 1, groups)
        tell.randomise(block)
        assert set(block._sub_layers) == names
        for name in names - {kept}:
            silence(block._sub_layers[name])
        alone = tell.run(block._sub_layers[kept], x)
        assert tell.difference(tell.run(block, x), alone) < 1e-9
        assert tell.difference(tell.run(block.as_convolution(), x), alone) < 1e-9


def test_the_inner_pointwise_convolution_starts_as_the_identity(tell):
    """With its weight at zero, branch three is the padded batch-norm and the KxK convolution."""
    block = tell.randomise(DiverseBranchBlock(4, 6, 3, 1, 1))
    point, padded, dense, norm = block.point_dense.children()
    assert isinstance(point, IdentityConv2D)
    assert not DiverseBranchBlock(4, 6, 3, 1, 1).point_dense[0].weight.numpy().any()
    point.weight.set_value(paddle.zeros_like(point.weight))
    x = tell.inputs(2, 4, 9, 8)
    expected = tell.run(nn.Sequential(padded, dense, norm), x)
    assert tell.difference(tell.run(block.point_dense, x), expected) < 1e-14
    for name in BRANCHES - {"point_dense"}:
        silence(block._sub_layers[name])
    assert tell.difference(tell.run(block.as_convolution(), x), expected) < 1e-9


def test_weight_decay_draws_to_the_identity():
    """It acts on the weight alone: from 0.5 by the factor 1 - 0.1 x 0.5, without a gradient."""
    block = DiverseBranchBlock(4, 6, 3, 1, 1)
    layer = block.point_dense[0]
    layer.weight.set_value(paddle.full_like(layer.weight, 0.5))
    optimizer = paddle.optimizer.SGD(0.1, parameters=[layer.weight], weight_decay=0.5)
    (layer.weight * 0).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(layer.weight.numpy(), 0.475, rtol=1e-6)  # float32
    np.testing.assert_allclose(np.diag(layer.kernel.numpy()[:, :, 0, 0]), 1.475, rtol=1e-6)


def test_the_average_of_a_depthwise_block_counts_the_padding(tell):
    """Paddle's default would not; its outputs differ by far more than rounding."""
    block = tell.randomise(DiverseBranchBlock(4, 4, 3, 1, 1, 1, 4))
    _, norm = block.point_average.children()
    x = tell.inputs(2, 4, 6, 7)
    expected = tell.run(norm, F.avg_pool2d(x, 3, 1, 1, exclusive=False))
    np.testing.assert_array_equal(tell.run(block.point_average, x), expected)
    assert tell.difference(tell.run(norm, F.avg_pool2d(x, 3, 1, 1)), expected) > 0.05


@pytest.mark.parametrize("width", [None, 4, 8, 12])
def test_inner_width(width, tell):
    """Dense: the channels; depthwise: twice; identity only where it is the channels."""
    dense = DiverseBranchBlock(4, 6, 3, 1, 1, internal_channels=width)
    depthwise = DiverseBranchBlock(4, 4, 3, 1, 1, 1, 4, internal_channels=width)
    for block, default in ((dense, 4), (depthwise, 8)):
        inner = width or default
        assert block.point_dense[0].weight.shape[0] == inner
        assert isinstance(block.point_dense[0], IdentityConv2D) == (inner == 4)
        x = tell.inputs(2, 4, 6, 7)
        tell.randomise(block)
        assert tell.difference(tell.run(block.as_convolution(), x), tell.run(block, x)) < 1e-9


def test_single_init_starts_as_the_plain_convolution(tell):
    """All other branches end in scale 0 and shift 0, so they add exact zeros."""
    block = DiverseBranchBlock(4, 6, 3, 1, 1, single_init=True)
    block.eval()
    x = tell.inputs(2, 4, 6, 7, dtype="float32")
    np.testing.assert_array_equal(tell.run(block, x), tell.run(block.dense, x))


def test_one_grey_channel_is_no_depthwise_multiplier(tell):
    block = tell.randomise(DiverseBranchBlock(1, 6, 3, 1, 1))
    x = tell.inputs(2, 1, 6, 7)
    assert tell.difference(tell.run(block.as_convolution(), x), tell.run(block, x)) < 1e-9


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_multiplier_has_all_four_branches(tell, stride):
    """The authors ask for ``groups < out_channels`` alone; 1e-9 as specified for blocks."""
    block = tell.randomise(DiverseBranchBlock(4, 8, 3, stride, 1, 1, 4))
    assert set(block._sub_layers) == BRANCHES
    assert block.point_dense[2].weight.shape == [8, 1, 3, 3]
    x = tell.inputs(2, 4, 6, 7)
    assert tell.difference(tell.run(block.as_convolution(), x), tell.run(block, x)) < 1e-9


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((8, 4, 3, 1, 1, 1, 4), {}, "groups 4 must be fewer than out_channels"),
        ((4, 6, 3, 1, 0), {}, r"padding \[0, 0, 0, 0\].*must be \[1, 1, 1, 1\]"),
        ((4, 6, 3, 2, [0, 1, 0, 1]), {}, "does not match the kernel"),
        ((4, 6, 3, 1, 2, 2), {}, r"has no dilation, got \[2, 2\]"),
        ((4, 6, 3, 1, 1, 1, 2), {"internal_channels": 5}, "multiple of groups = 2, got 5"),
        ((4, 6, 3, 1, 1), {"internal_channels": 0}, "got 0"),
    ],
)
def test_what_the_block_does_not_take(arguments, options, message):
    with pytest.raises(ReparameterisationError, match=message):
        DiverseBranchBlock(*arguments, **options)
