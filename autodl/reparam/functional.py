"""The six linear transforms of re-parameterisation, on raw tensors.

Numbering: Ding et al., "Diverse Branch Block", CVPR 2021, section 3.2. Kernels are
``[O, C / groups, kh, kw]`` and are cross-correlated, biases ``[O]``, batch-norm parameters one
per channel. All functions are pure and differentiable and keep the dtype they are given. NaN goes
in and comes out; there are no ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import paddle
import paddle.nn.functional as F

from autodl.plans.layers import Pair
from autodl.reparam.errors import ReparameterisationError

Affine: TypeAlias = tuple[paddle.Tensor, paddle.Tensor]  # kernel and bias of a convolution


def fuse_batch_norm(
    kernel: paddle.Tensor,
    bias: paddle.Tensor | None,
    gamma: paddle.Tensor,
    beta: paddle.Tensor,
    mean: paddle.Tensor,
    variance: paddle.Tensor,
    epsilon: float,
) -> Affine:
    """Transform I: a convolution followed by a batch-norm in evaluation mode.

    With ``t = gamma / sqrt(variance + epsilon)``: kernel ``t F``, bias ``beta + (b - mean) t``.
    Holds for any groups, stride, dilation and padding.

    Args:
        kernel: ``[O, C / groups, kh, kw]``.
        bias: ``[O]``; None is zero.
        gamma, beta, mean, variance: ``[O]``; variance + epsilon must be above 0.
    """
    scale = gamma / paddle.sqrt(variance + epsilon)
    offset = -mean if bias is None else bias - mean
    return kernel * scale.reshape([-1, 1, 1, 1]), beta + offset * scale


def add_branches(branches: Sequence[Affine]) -> Affine:
    """Transform II: parallel convolutions of one kernel size whose outputs are summed.

    Raises:
        ReparameterisationError: no branch, or kernels of different shapes.
    """
    if not branches:
        raise ReparameterisationError("there is no branch to add up; give at least one")
    shapes = {tuple(kernel.shape) for kernel, _ in branches}
    if len(shapes) > 1:
        raise ReparameterisationError(
            f"branches of kernel shapes {sorted(shapes)} cannot be added; pad them to one shape"
        )
    kernel, bias = branches[0]
    for other_kernel, other_bias in branches[1:]:
        kernel, bias = kernel + other_kernel, bias + other_bias
    return kernel, bias


def merge_pointwise(first: Affine, second: Affine, groups: int) -> Affine:
    """Transform III: a 1x1 convolution of stride 1, then a KxK convolution.

    True up to the border only if the map between the two is padded with the first one's bias,
    which is its answer to zeros; see ``PaddedBatchNorm2D``.

    Args:
        first: ``[D, C / groups, 1, 1]`` and ``[D]``.
        second: ``[O, D / groups, kh, kw]`` and ``[O]``.
        groups: of both convolutions.

    Returns:
        ``[O, C / groups, kh, kw]`` and ``[O]``.

    Raises:
        ReparameterisationError: the first kernel is not 1x1, or the channels do not match.
    """
    (inner, inner_bias), (outer, outer_bias) = first, second
    middle, channels, *inner_size = inner.shape
    out, outer_channels, height, width = outer.shape
    if inner_size != [1, 1]:
        raise ReparameterisationError(f"the first of two kernels must be 1x1, got {inner_size}")
    if outer_channels * groups != middle or out % groups:
        raise ReparameterisationError(
            f"kernels {list(inner.shape)} and {list(outer.shape)} do not follow one another"
            f" with {groups} groups"
        )
    per_group, taps = middle // groups, height * width
    inner = inner.reshape([groups, 1, per_group, channels])
    outer = outer.reshape([groups, out // groups, per_group, taps])
    merged = paddle.matmul(outer.transpose([0, 1, 3, 2]), inner)  # [g, O/g, taps, C/g]
    answer = (outer.sum(axis=3) * inner_bias.reshape([groups, 1, per_group])).sum(axis=2)
    kernel = merged.transpose([0, 1, 3, 2]).reshape([out, channels, height, width])
    return kernel, outer_bias + answer.reshape([out])


def concat_depth(parts: Sequence[Affine]) -> Affine:
    """Transform IV: convolutions whose outputs are concatenated on the channel axis.

    On one input this is the concatenation of an Inception cell; on its groups of channels, a
    grouped convolution.
    """
    return paddle.concat([kernel for kernel, _ in parts]), paddle.concat([b for _, b in parts])


def average_kernel(
    channels: int, size: Pair, groups: int = 1, dtype: str = "float32"
) -> paddle.Tensor:
    """Transform V: the kernel of average pooling that counts padded zeros.

    Returns:
        ``[channels, channels / groups, *size]``: 1 / (kh kw) where both channels are the same.
    """
    height, width = size
    return _same_channel(channels, groups, dtype).tile([1, 1, height, width]) / (height * width)


def identity_kernel(
    channels: int, size: Pair = (1, 1), groups: int = 1, dtype: str = "float32"
) -> paddle.Tensor:
    """The kernel that gives back its input: 1 at the centre where both channels are the same.

    Returns:
        ``[channels, channels / groups, *size]``; both sides of ``size`` odd.
    """
    return pad_kernel(_same_channel(channels, groups, dtype), size)


def pad_kernel(kernel: paddle.Tensor, size: Pair) -> paddle.Tensor:
    """Transform VI: zeros around a kernel, so that it has ``size`` and the same centre.

    Raises:
        ReparameterisationError: the kernel is larger, or an odd number of zeros is needed.
    """
    rows, columns = size[0] - kernel.shape[2], size[1] - kernel.shape[3]
    if min(rows, columns) < 0 or rows % 2 or columns % 2:
        raise ReparameterisationError(
            f"a kernel of {list(kernel.shape[2:])} cannot stand in the centre of {list(size)};"
            " both need odd sides, the second as large or larger"
        )
    if not rows and not columns:
        return kernel
    # Paddle counts from the last axis: left, right, top, bottom
    return F.pad(kernel, [columns // 2, columns // 2, rows // 2, rows // 2])


def _same_channel(channels: int, groups: int, dtype: str) -> paddle.Tensor:
    """``[channels, channels / groups, 1, 1]``: 1 where the input channel is the output's."""
    per_group = channels // groups
    rows = paddle.arange(channels) % per_group
    return F.one_hot(rows, per_group).astype(dtype).reshape([channels, per_group, 1, 1])
