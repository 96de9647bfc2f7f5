"""What branches are made of beside Paddle's own layers, and how one is folded into a kernel.

A branch is a ``paddle.nn.Sequential`` of linear layers: cropping, convolutions, average pooling,
batch-norms. Anything else in it, such as an activation or dropout, cannot be folded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from autodl.networks.layers import is_convolution
from autodl.plans.layers import Padding, Pair
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.functional import (
    average_kernel,
    fuse_batch_norm,
    identity_kernel,
    merge_pointwise,
)
from autodl.reparam.geometry import ConvGeometry


class Margin(nn.Layer):
    """Zeros around a map, or, on sides with a negative number, fewer rows and columns.

    What Paddle's convolutions would do with a negative padding, if they took it.
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to ``[B, C, H + top + bottom, W + left + right]``."""
        top, bottom, left, right = (max(side, 0) for side in self.padding)
        if top or bottom or left or right:  # first, so that a narrow map can be left out whole
            x = F.pad(x, [left, right, top, bottom])  # Paddle counts from the last axis
        top, bottom, left, right = (max(-side, 0) for side in self.padding)
        return x[:, :, top : -bottom or None, left : -right or None]


class IdentityConv2D(nn.Conv2D):
    """A 1x1 convolution of as many channels whose kernel is the identity plus its weight.

    The weight starts at zero, so weight decay draws the kernel to the identity (DBB, section 3.4).
    """

    def __init__(self, channels: int, groups: int = 1, weight_attr: Any = None) -> None:
        super().__init__(
            channels, channels, 1, groups=groups, weight_attr=weight_attr, bias_attr=False
        )
        identity = identity_kernel(channels, groups=groups, dtype=_name(self.weight))
        self.register_buffer("identity", identity, persistable=False)

    @property
    def kernel(self) -> paddle.Tensor:
        """``[C, C / groups, 1, 1]`` in float32 or float64."""
        return full(self.weight) + full(self.identity)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to the same shape."""
        return F.conv2d(x, self.kernel.astype(self.weight.dtype), groups=self._groups)


class PaddedBatchNorm2D(nn.BatchNorm2D):
    """A batch-norm that surrounds its output with its answer to zeros.

    After a convolution without bias this is the border that a convolution with zero padding would
    have seen: ``beta - mean * gamma / sqrt(variance + epsilon)``, from the running statistics and
    without gradient, as in the authors' code.
    """

    def __init__(
        self, channels: int, padding: Padding, *, momentum: float = 0.9, epsilon: float = 1e-5
    ) -> None:
        super().__init__(channels, momentum=momentum, epsilon=epsilon)
        self.padding = padding

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to ``[B, C, H + top + bottom, W + left + right]``."""
        y = super().forward(x)
        if not any(self.padding):
            return y
        with paddle.no_grad():
            gamma, beta, mean, variance, epsilon = batch_norm_terms(self)
            answer = beta - mean * gamma / paddle.sqrt(variance + epsilon)
            answer = answer.astype(y.dtype).reshape([1, -1, 1, 1])
        top, bottom, left, right = self.padding
        sides = [left, right, top, bottom]  # Paddle counts from the last axis
        border = 1.0 - F.pad(paddle.ones_like(y[:1, :1]), sides)
        return F.pad(y, sides) + answer * border


def batch_norm_terms(
    norm: Any,
) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor, paddle.Tensor, float]:
    """Scale, shift, running mean and variance ``[C]`` in float32 or float64, and epsilon.

    Epsilon is rounded to float32 as Paddle's kernels do, also in float64, where it would else be
    the largest error by far (1e-11 against 1e-14).
    """
    mean, variance = full(norm._mean), full(norm._variance)
    gamma = paddle.ones_like(mean) if norm.weight is None else full(norm.weight)
    beta = paddle.zeros_like(mean) if norm.bias is None else full(norm.bias)
    return gamma, beta, mean, variance, float(np.float32(norm._epsilon))


def keeps_to_batches(norm: Any) -> bool:
    """Whether a batch-norm uses the statistics of the batch in evaluation mode as well.

    That is what ``use_global_stats=False`` means to Paddle; no kernel can do it.
    """
    return norm._use_global_stats not in (None, True)


def full(tensor: paddle.Tensor) -> paddle.Tensor:
    """In float32 if it holds half-precision numbers, else as it is."""
    return tensor if _name(tensor) == "float64" else tensor.astype("float32")


def _name(tensor: paddle.Tensor) -> str:
    """``float32`` for ``paddle.float32``."""
    return str(tensor.dtype).rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Folded:
    """The convolution that the first layers of a branch amount to."""

    kernel: paddle.Tensor
    bias: paddle.Tensor
    stride: Pair
    padding: Padding  # negative where rows or columns are left out


def fold(layers: Iterable[tuple[str, Any]], geometry: ConvGeometry) -> Folded:
    """The kernel and bias of a branch in evaluation mode, differentiable.

    Args:
        layers: the layers of the branch in order, under their paths.
        geometry: the convolution that the branch is part of.

    Returns:
        Kernel ``[O, C / groups, kh, kw]`` of the branch's own size, in float32 or float64.

    Raises:
        ReparameterisationError: a layer is not linear or has hooks, or the branch is another
            convolution than ``geometry`` says; the message names the layer.
    """
    folded: Folded | None = None
    margin: Padding = (0, 0, 0, 0)
    path, channels = "", geometry.in_channels
    for path, layer in layers:
        if layer._forward_pre_hooks or layer._forward_post_hooks:
            raise ReparameterisationError(
                "a forward hook may change what it computes; remove the hook before fusing", path
            )
        if type(layer) is Margin and folded is None and not any(margin):
            margin = layer.padding
        elif is_convolution(layer) or type(layer) in (IdentityConv2D, nn.AvgPool2D):
            step = _window(layer, path, geometry, channels)
            folded = step if folded is None else _after(folded, step, geometry, path)
            channels = folded.kernel.shape[0]
        elif type(layer) in (nn.BatchNorm2D, nn.SyncBatchNorm, PaddedBatchNorm2D):
            folded = _normalised(folded, layer, path, geometry)
        else:
            raise ReparameterisationError(
                f"a {type(layer).__name__} in a branch cannot become part of a kernel; a branch"
                " holds convolutions, average pooling and batch-norms, activations go behind the"
                " block",
                path,
            )
    if folded is None:
        raise ReparameterisationError("the branch is empty; give it a batch-norm at least", path)
    if any(margin) and any(folded.padding):
        raise ReparameterisationError("it pads what a margin has padded or cut already", path)
    padding = tuple(a + b for a, b in zip(folded.padding, margin, strict=True))
    placed = Folded(folded.kernel, folded.bias, folded.stride, padding)  # type: ignore[arg-type]
    _check_place(placed, geometry, path)
    return placed


def _window(layer: Any, path: str, geometry: ConvGeometry, channels: int) -> Folded:
    """A convolution or an average pooling on its own; ``channels`` is what a pooling reads."""
    try:
        if type(layer) is nn.AvgPool2D:
            own = ConvGeometry.read(
                channels,
                channels,
                layer.ksize,
                layer.ksize if layer.stride is None else layer.stride,
                layer.padding,
                groups=geometry.groups,
            )
        else:
            own = ConvGeometry.of(layer)
    except ReparameterisationError as error:
        raise error.inside(path) from None
    if own.kernel != (1, 1) and own.dilation != geometry.dilation:
        raise ReparameterisationError(
            f"its dilation {own.dilation} is not the block's {geometry.dilation}", path
        )
    if own.groups != geometry.groups:
        raise ReparameterisationError(
            f"its {own.groups} groups are not the block's {geometry.groups}", path
        )
    if type(layer) is nn.AvgPool2D:
        if (layer.exclusive and any(own.padding)) or layer.ceil_mode or layer.divisor:
            raise ReparameterisationError(
                "an average that leaves out the padding, rounds its size up or has a divisor of"
                " its own is no convolution; use exclusive=False",
                path,
            )
        kernel = average_kernel(channels, own.kernel, own.groups, "float64")  # rounded later
        return Folded(kernel, paddle.zeros([channels], "float64"), own.stride, own.padding)
    if layer._padding_mode != "zeros" or layer._data_format != "NCHW":
        raise ReparameterisationError(
            f"padding_mode {layer._padding_mode!r} and data_format {layer._data_format!r} cannot"
            " be fused; use 'zeros' and 'NCHW'",
            path,
        )
    kernel = layer.kernel if type(layer) is IdentityConv2D else full(layer.weight)
    bias = paddle.zeros([own.out_channels], kernel.dtype) if layer.bias is None else layer.bias
    return Folded(kernel, full(bias), own.stride, own.padding)


def _normalised(folded: Folded | None, norm: Any, path: str, geometry: ConvGeometry) -> Folded:
    if keeps_to_batches(norm):
        raise ReparameterisationError(
            "it normalises by the batch in evaluation mode too, which no kernel can; build it with"
            " use_global_stats=None",
            path,
        )
    terms = batch_norm_terms(norm)
    if folded is None:  # a bare batch-norm: the identity, normalised
        channels, name = geometry.in_channels, _name(terms[0])
        kernel = identity_kernel(channels, (1, 1), geometry.groups, name)
        folded = Folded(kernel, paddle.zeros([channels], name), (1, 1), (0, 0, 0, 0))
    if folded.kernel.shape[0] != terms[0].shape[0]:
        raise ReparameterisationError(
            f"it normalises {terms[0].shape[0]} channels, but gets {folded.kernel.shape[0]}", path
        )
    padding = folded.padding
    if type(norm) is PaddedBatchNorm2D:
        if list(folded.kernel.shape[2:]) != [1, 1] or any(padding):
            raise ReparameterisationError("it must follow a 1x1 convolution without padding", path)
        padding = norm.padding
    before = folded.kernel.astype(terms[0].dtype), folded.bias.astype(terms[0].dtype)
    kernel, bias = fuse_batch_norm(*before, *terms)
    return Folded(kernel, bias, folded.stride, padding)


def _after(first: Folded, second: Folded, geometry: ConvGeometry, path: str) -> Folded:
    """``second`` reading ``first``."""
    if first.stride != (1, 1):
        raise ReparameterisationError("it follows a window that skips rows or columns", path)
    if any(second.padding):
        raise ReparameterisationError(
            "it pads with zeros what a batch-norm has shifted, which is wrong at the border; pad"
            " in a PaddedBatchNorm2D before it",
            path,
        )
    try:
        kernel, bias = merge_pointwise(
            (first.kernel, first.bias),
            (second.kernel.astype(first.kernel.dtype), second.bias.astype(first.bias.dtype)),
            geometry.groups,
        )
    except ReparameterisationError as error:
        raise error.inside(path) from None
    return Folded(kernel, bias, second.stride, first.padding)


def _check_place(folded: Folded, geometry: ConvGeometry, path: str) -> None:
    """Whether the branch gives the block's output, pixel for pixel."""
    out, _, height, width = folded.kernel.shape
    small = ConvGeometry(
        geometry.in_channels, out, (height, width), dilation=geometry.dilation, groups=1
    )
    expected = tuple(m - s for m, s in zip(geometry.margin, small.margin, strict=True))
    same = (out, folded.stride) == (geometry.out_channels, geometry.stride)
    if not same or folded.padding != expected or not small.is_odd:
        raise ReparameterisationError(
            f"the branch gives {out} channels by a {height}x{width} window of stride"
            f" {folded.stride} and padding {folded.padding}; the block needs"
            f" {geometry.out_channels}, stride {geometry.stride} and padding {expected}",
            path,
        )
