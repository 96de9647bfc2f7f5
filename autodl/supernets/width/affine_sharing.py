"""Layers whose candidates are affine projections of one meta weight (APS).

A convolution owns one meta kernel W ``[C_out, C_in, k, k]``. Its kernel for the output candidate
``a`` and the input candidate ``b`` is the product of W with two matrices on its channel axes,
``W_ab = P_a^T W Q_b``, and one convolution with that kernel is computed. Gradients of the loss
reach W and, unless they are let in, not the projections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.nn import initializer

from autodl.errors import ConfigError
from autodl.plans import layers as kinds
from autodl.supernets.width.projections import columns, layout, noisy, uniform_bound

# what a kernel is chosen by: positions of the output's and of the input's candidate
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChannelAxis:
    """One channel axis of a layer: its candidates, and the meta channels they are cut from.

    ``times`` says of how many equal parts the axis consists. A fixed axis has a single candidate,
    all of its channels, and no projection.

    Raises:
        ConfigError: a meta width below a candidate.
    """

    widths: tuple[int, ...]
    meta: int
    times: int = 1
    fixed: bool = False

    def __post_init__(self) -> None:
        if self.meta < max(self.widths):
            raise ConfigError(
                f"a meta width of {self.meta} is below the candidate {max(self.widths)};"
                " raise Supernet.meta_width, or leave it out"
            )

    @property
    def channels(self) -> int:
        """Channels of the meta weight."""
        return self.times * self.meta

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels of each candidate."""
        return tuple(self.times * width for width in self.widths)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a supernet's projections start."""

    overlap: float = 1.0
    noise: float = 1e-3
    per_pair: bool = False


class Projection(nn.Layer):
    """All candidates' projections of one axis: ``matrix`` ``[groups, C, sum of sizes]``.

    It is a parameter that does not learn from the loss: see ``projections.py`` for what moves it.
    """

    def __init__(
        self,
        axis: ChannelAxis,
        sharing: Sharing,
        rng: np.random.Generator,
        *,
        groups: int = 1,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.axis = axis
        start = layout(axis.widths, axis.meta, sharing.overlap, axis.times)
        values = noisy(start, sharing.noise, rng, groups).astype(dtype)
        self.matrix = self.create_parameter(list(values.shape), dtype=dtype)
        self.matrix.set_value(paddle.to_tensor(values))
        self.matrix.stop_gradient = True
        self._columns = columns(axis.sizes)

    def forward(self, candidate: int, other: int = 0) -> paddle.Tensor:
        """``[C, size]`` of a candidate; ``other``: of the other axis, for pairs."""
        group = other if self.matrix.shape[0] > 1 else 0
        part = self._columns[candidate]
        return self.matrix[group][:, part.start : part.stop]


class AffineConv(nn.Layer):
    """A convolution without bias whose kernel is projected from a meta kernel.

    Args:
        kind: padding, stride, kernel and dilation; its channels are not used, its groups tell
            whether it is depthwise: then only the output is projected.
        output, inner: the axes; a fixed one has no projection (that of the stem is the identity).
        sharing: how the projections start.
        rng: draws the meta kernel and the noise.
    """

    def __init__(
        self,
        kind: kinds.Conv,
        output: ChannelAxis,
        inner: ChannelAxis,
        sharing: Sharing,
        rng: np.random.Generator,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.kind, self.depthwise = kind, kind.groups > 1
        inputs = 1 if self.depthwise else inner.channels
        shape = [output.channels, inputs, *kind.kernel]
        bound = uniform_bound(prod(shape[1:]))
        self.weight = _drawn(self, shape, bound, rng, dtype)
        self.bias = _drawn(self, [output.channels], bound, rng, dtype) if kind.bias else None
        pairs = sharing.per_pair and not self.depthwise
        self.output = (
            None
            if output.fixed
            else Projection(
                output, sharing, rng, groups=len(inner.widths) if pairs else 1, dtype=dtype
            )
        )
        self.inner = (
            None
            if inner.fixed or self.depthwise
            else Projection(
                inner, sharing, rng, groups=len(output.widths) if pairs else 1, dtype=dtype
            )
        )

    def kernel(self, pair: Pair) -> paddle.Tensor:
        """``P_a^T W Q_b``: ``[c_a, c_b, k, k]``; of a depthwise layer ``[c_a, 1, k, k]``."""
        a, b = pair
        outputs, inputs, height, width = self.weight.shape
        kernel = self.weight
        if self.output is not None:
            flat = self.weight.reshape([outputs, inputs * height * width])
            kernel = paddle.matmul(self.output(a, b), flat, transpose_x=True)
        if self.inner is not None:
            maps = kernel.reshape([-1, inputs, height * width])
            kernel = paddle.matmul(self.inner(b, a), maps, transpose_x=True)
            inputs = kernel.shape[1]
        return kernel.reshape([-1, inputs, height, width])

    def shift(self, pair: Pair) -> paddle.Tensor | None:
        """The projected bias ``P_a^T bias``, where there is one."""
        if self.bias is None or self.output is None:
            return self.bias
        return paddle.matmul(self.output(*pair), self.bias, transpose_x=True)

    def forward(self, x: paddle.Tensor, pair: Pair) -> paddle.Tensor:
        """Convolve ``[B, c_b, H, W]`` with one projected kernel."""
        return convolve(x, self.kernel(pair), self.shift(pair), self.kind)


class PrivateConv(nn.Layer):
    """A convolution with a kernel of its own for each pair: shortcuts are not shared."""

    def __init__(
        self,
        kind: kinds.Conv,
        output: ChannelAxis,
        inner: ChannelAxis,
        rng: np.random.Generator,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.kind = kind
        for a, outputs in enumerate(output.sizes):
            for b, inputs in enumerate(inner.sizes):
                shape = [outputs, inputs, *kind.kernel]
                weight = _drawn(self, shape, uniform_bound(prod(shape[1:])), rng, dtype)
                self.add_parameter(f"weight_{a}_{b}", weight)

    def kernel(self, pair: Pair) -> paddle.Tensor:
        """``[c_a, c_b, k, k]``."""
        return self._parameters[f"weight_{pair[0]}_{pair[1]}"]

    def forward(self, x: paddle.Tensor, pair: Pair) -> paddle.Tensor:
        """Convolve ``[B, c_b, H, W]``."""
        return convolve(x, self.kernel(pair), None, self.kind)


def convolve(
    x: paddle.Tensor, kernel: paddle.Tensor, bias: paddle.Tensor | None, kind: kinds.Conv
) -> paddle.Tensor:
    """One convolution with the stride, padding and dilation of ``kind``."""
    top, bottom, left, right = kind.padding
    even = top == bottom and left == right
    return F.conv2d(
        x,
        kernel,
        bias,
        stride=list(kind.stride),
        padding=[top, left] if even else [top, bottom, left, right],
        dilation=list(kind.dilation),
        groups=x.shape[1] if kind.groups > 1 else 1,
    )


class AffineLinear(nn.Layer):
    """The classifier: a meta weight ``[C, classes]`` whose input is projected, and a bias."""

    def __init__(
        self,
        classes: int,
        inner: ChannelAxis,
        sharing: Sharing,
        rng: np.random.Generator,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        bound = uniform_bound(inner.channels)
        self.weight = _drawn(self, [inner.channels, classes], bound, rng, dtype)
        self.bias = _drawn(self, [classes], bound, rng, dtype)
        self.inner = Projection(inner, sharing, rng, dtype=dtype)

    def matrix(self, candidate: int) -> paddle.Tensor:
        """``Q_b^T W``, ``[c_b, classes]``."""
        return paddle.matmul(self.inner(candidate), self.weight, transpose_x=True)

    def forward(self, x: paddle.Tensor, candidate: int) -> paddle.Tensor:
        """Logits of features ``[B, c_b]``."""
        return F.linear(x, self.matrix(candidate), self.bias)


class PairNorm(nn.Layer):
    """Batch normalisation without scale and shift, with statistics of its own for each pair.

    ``mode`` is ``train`` (the batch's statistics, which also move the running ones), ``batch``
    (the batch's, which leave no trace) or ``eval`` (the running ones).

    Args:
        kind: its momentum and epsilon.
        channels: of every pair.
    """

    def __init__(
        self, kind: kinds.BatchNorm, channels: Mapping[Pair, int], dtype: str = "float32"
    ) -> None:
        super().__init__()
        self.mode = "train"
        self.momentum, self._epsilon = kind.momentum, kind.epsilon
        for pair, count in channels.items():
            for name, value in (("mean", paddle.zeros), ("variance", paddle.ones)):
                self.register_buffer(_statistic(name, pair), value([count], dtype))

    def statistics(self, pair: Pair) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Running mean and variance of a pair, ``[c_a]`` each; the live tensors."""
        return self._buffers[_statistic("mean", pair)], self._buffers[_statistic("variance", pair)]

    def forward(self, x: paddle.Tensor, pair: Pair) -> paddle.Tensor:
        """Normalise ``[B, c_a, H, W]``."""
        mean, variance = self.statistics(pair)
        if self.mode == "batch":
            mean, variance = mean.clone(), variance.clone()
        return F.batch_norm(
            x,
            mean,
            variance,
            training=self.mode != "eval",
            momentum=self.momentum,
            epsilon=self._epsilon,
        )


def _statistic(name: str, pair: Pair) -> str:
    return f"{name}_{pair[0]}_{pair[1]}"


def _drawn(
    layer: nn.Layer, shape: Sequence[int], bound: float, rng: np.random.Generator, dtype: str
) -> Any:
    """A parameter drawn from U(-bound, bound)."""
    values = rng.uniform(-bound, bound, list(shape)).astype(dtype)
    return layer.create_parameter(
        list(shape), dtype=dtype, default_initializer=initializer.Assign(values)
    )
