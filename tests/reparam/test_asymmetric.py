"""The asymmetric convolution block: every padding, and the cross in its kernel."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.reparam.asymmetric import AsymmetricConvBlock


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_padding_stride_sweep(kernel, groups, dilation, tell):
    """Five paddings from none (cropping) to one beyond the reach, three strides; 1e-9 as said."""
    reach = dilation * (kernel - 1) // 2
    for padding in sorted({0, 1, reach - 1, reach, reach + 1}):
        for stride in (1, 2, 3):
            block = AsymmetricConvBlock(4, 8, kernel, stride, padding, dilation, groups)
            tell.randomise(block, seed=padding)
            x = tell.inputs(1, 4, 17, 14)
            fused = block.as_convolution()
            assert tell.difference(tell.run(fused, x), tell.run(block, x)) < 1e-9


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (3, 5), (7, 3)])
def test_branches_add_to_the_cross_only(kernel, tell):
    block = tell.randomise(AsymmetricConvBlock(4, 6, kernel, 1, 2, groups=2))
    whole, _ = block.get_equivalent_kernel_bias()
    for name in ("vertical", "horizontal"):
        delattr(block, name)
    square, _ = block.get_equivalent_kernel_bias()
    added = (whole - square).numpy() != 0
    cross = np.zeros(kernel, dtype=bool)
    cross[kernel[0] // 2, :] = cross[:, kernel[1] // 2] = True
    np.testing.assert_array_equal(added, np.broadcast_to(cross, added.shape))


def test_the_uneven_padding_of_tensorflow_is_cropped(tell):
    """SAME of stride 2 on an even map: no zeros above and left, where a 3x3 window reaches 1."""
    block = tell.randomise(AsymmetricConvBlock(4, 6, 3, 2, [0, 1, 0, 1]))
    x = tell.inputs(2, 4, 8, 6)
    assert tell.run(block, x).shape == (2, 6, 4, 3)
    assert tell.difference(tell.run(block.as_convolution(), x), tell.run(block, x)) < 1e-9


def test_parameters_and_initial_scale():
    """24 input-output pairs times 9 + 3 + 3 taps, and three batch-norms of 6 channels."""
    block = AsymmetricConvBlock(4, 6, 3, initial_scale=1 / 3)
    trainable = [p for p in block.parameters() if not p.stop_gradient]
    assert sum(int(np.prod(p.shape)) for p in trainable) == 24 * (9 + 3 + 3) + 3 * 12
    norms = [layer for layer in block.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    assert len(norms) == 3
    assert all((norm.weight.numpy() == np.float32(1 / 3)).all() for norm in norms)


def test_branches_see_the_same_batch(tell):
    """In training form the output is the sum of three normalised maps: mean 0, as scale is free."""
    block = AsymmetricConvBlock(4, 6, 3, padding=1)
    output = block(paddle.randn([8, 4, 9, 9]))
    # each of the three has mean 0 by construction; 1e-5: sums of 648 float32 numbers around 1
    assert np.abs(output.numpy().mean(axis=(0, 2, 3))).max() < 1e-5
