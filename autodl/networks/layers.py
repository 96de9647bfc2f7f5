"""The Paddle layer of every kind of layer that a plan can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, sqrt

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.nn import initializer

from autodl.config.plugins import note_provided
from autodl.networks.convolution import Convolution
from autodl.networks.gelu import Gelu
from autodl.plans import layers as kinds
from autodl.plans import mixture


def _window_padding(padding: kinds.Padding) -> list[int]:
    """Paddle's shorter form where both sides agree, which its faster kernels take."""
    top, bottom, left, right = padding
    return [top, left] if top == bottom and left == right else [top, bottom, left, right]


def truncated_normal(std: float) -> initializer.Initializer:
    """Normal of this deviation before it is cut at two of them."""
    return initializer.TruncatedNormal(std=std, a=-2 * std, b=2 * std)  # a, b: values, not stds


def he_normal(fan_in: int) -> initializer.Initializer:
    """Normal of deviation sqrt(2 / fan_in), cut at two deviations (AutoDL Design)."""
    return truncated_normal(sqrt(2.0 / fan_in))


def is_convolution(layer: object) -> bool:
    """Whether a layer is a plain convolution, with whatever options, and nothing made from one."""
    return type(layer) in (nn.Conv2D, Convolution)


def _conv(kind: kinds.Conv) -> nn.Layer:
    first = he_normal(prod(kind.kernel) * kind.in_channels // kind.groups)
    if kind.weight_std is not None:
        first = initializer.Normal(std=kind.weight_std)
    return Convolution(
        kind.in_channels,
        kind.out_channels,
        list(kind.kernel),
        list(kind.stride),
        _window_padding(kind.padding),
        list(kind.dilation),
        kind.groups,
        weight_attr=first,
        bias_attr=None if kind.bias else False,
    )


def _linear(kind: kinds.Linear) -> nn.Layer:
    first = he_normal(kind.in_features)
    if kind.weight_std is not None:
        first = initializer.Normal(std=kind.weight_std)
    bias = None if kind.bias else False
    return nn.Linear(kind.in_features, kind.out_features, weight_attr=first, bias_attr=bias)


class AvgPool(nn.Layer):
    """Average pooling that can pad its sides differently and count the padded zeros."""

    def __init__(self, kind: kinds.AvgPool) -> None:
        super().__init__()
        top, bottom, left, right = kind.padding
        self._kind = kind
        self._pad = [left, right, top, bottom] if kind.count_padding and any(kind.padding) else None
        self._padding = [0, 0] if self._pad else _window_padding(kind.padding)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Pool ``[B, C, H, W]``."""
        if self._pad:
            x = F.pad(x, self._pad)
        return F.avg_pool2d(x, list(self._kind.kernel), list(self._kind.stride), self._padding)


class Add(nn.Layer):
    """Sum of its inputs."""

    def forward(self, *inputs: paddle.Tensor) -> paddle.Tensor:
        """Add tensors of one shape."""
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Mix(nn.Layer):
    """Sum of its inputs, each times a number."""

    def forward(self, numbers: paddle.Tensor, *inputs: paddle.Tensor) -> paddle.Tensor:
        """Numbers ``[K]`` and ``K`` tensors of one shape to a tensor of that shape."""
        total = numbers[0] * inputs[0]
        for place, x in enumerate(inputs[1:], start=1):
            total = total + numbers[place] * x
        return total


class Concat(nn.Layer):
    """Its inputs side by side on the channel axis."""

    def forward(self, *inputs: paddle.Tensor) -> paddle.Tensor:
        """Concatenate ``[B, C_i, H, W]`` to ``[B, sum C_i, H, W]``."""
        return paddle.concat(list(inputs), axis=1)


class GlobalAvgPool(nn.Layer):
    """Mean over height and width."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to ``[B, C]``."""
        return x.mean(axis=[2, 3])


class GlobalMaxPool(nn.Layer):
    """Maximum over height and width; of equal values the first gets the gradient."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to ``[B, C]``."""
        return F.max_pool2d(x, x.shape[2:]).flatten(1)


class Times(nn.Layer):
    """All values times one number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """A tensor of any shape."""
        return x * self.factor


class Crop(nn.Layer):
    """Maps without their first rows and columns."""

    def __init__(self, kind: kinds.Crop) -> None:
        super().__init__()
        self._top, self._left = kind.top, kind.left

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to ``[B, C, H - top, W - left]``."""
        return x[:, :, self._top :, self._left :]


class EverySecond(nn.Layer):
    """Every second channel."""

    def __init__(self, kind: kinds.EverySecond) -> None:
        super().__init__()
        self._first = kind.first

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to about half of the channels."""
        return x[:, self._first :: 2]


class DropPath(nn.Dropout):
    """Zeroes each picture of a batch with probability ``p``, which is 0 until somebody sets it.

    Source: Larsson et al., ICLR 2017, as the code of DARTS has it.
    """

    def __init__(self) -> None:
        super().__init__(p=0.0, axis=0)


class Scale(nn.Layer):
    """Maps times one number each."""

    def forward(self, maps: paddle.Tensor, factors: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` and ``[B, C]`` to ``[B, C, H, W]``."""
        return maps * factors.unsqueeze([2, 3])


class AsMap(nn.Layer):
    """A series as a map of one row."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, L]`` to ``[B, C, 1, L]``."""
        return x.unsqueeze(2)


class Product(nn.Layer):
    """Maps times maps, or times one map for all channels."""

    def forward(self, maps: paddle.Tensor, factors: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` and ``[B, C or 1, H, W]`` to ``[B, C, H, W]``."""
        return maps * factors


class Recurrent(nn.Layer):
    """Paddle's LSTM or GRU along the one row of a map.

    Paddle lists the weights in the layer and once more in a cell inside it, which only its slow
    way of computing needs: that is left out, or an optimiser would meet each weight twice.
    """

    def __init__(self, cells: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.cells = cells
        self.cells._sub_layers.clear()

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, 1, L]`` to ``[B, O, 1, L]``, the state after each step."""
        states, _ = self.cells(x.squeeze(2).transpose([2, 0, 1]))
        return states.transpose([1, 2, 0]).unsqueeze(2)


_FACTORIES: dict[type[kinds.Layer], Callable[..., nn.Layer]] = {
    kinds.Conv: _conv,
    kinds.BatchNorm: lambda kind: nn.BatchNorm2D(
        kind.channels,
        momentum=kind.momentum,
        epsilon=kind.epsilon,
        weight_attr=None if kind.affine else False,
        bias_attr=None if kind.affine else False,
    ),
    kinds.Relu: lambda kind: nn.ReLU(),
    kinds.Gelu: lambda kind: Gelu(),
    kinds.Sigmoid: lambda kind: nn.Sigmoid(),
    kinds.MaxPool: lambda kind: nn.MaxPool2D(
        list(kind.kernel), list(kind.stride), _window_padding(kind.padding)
    ),
    kinds.AvgPool: AvgPool,
    kinds.Add: lambda kind: Add(),
    mixture.Mix: lambda kind: Mix(),
    kinds.Concat: lambda kind: Concat(),
    kinds.Crop: Crop,
    kinds.DropPath: lambda kind: DropPath(),
    kinds.EverySecond: EverySecond,
    kinds.GlobalAvgPool: lambda kind: GlobalAvgPool(),
    kinds.GlobalMaxPool: lambda kind: GlobalMaxPool(),
    kinds.Times: lambda kind: Times(kind.factor),
    kinds.Scale: lambda kind: Scale(),
    kinds.Flatten: lambda kind: nn.Flatten(),
    kinds.Dropout: lambda kind: nn.Dropout(kind.rate),
    kinds.Linear: _linear,
    kinds.AsMap: lambda kind: AsMap(),
    kinds.Product: lambda kind: Product(),
    kinds.Lstm: lambda kind: Recurrent(
        nn.LSTM(kind.in_channels, kind.out_channels, time_major=True)
    ),
    kinds.Gru: lambda kind: Recurrent(nn.GRU(kind.in_channels, kind.out_channels, time_major=True)),
}


def register_layer(kind: type[kinds.Layer], factory: Callable[..., nn.Layer]) -> None:
    """Teach the builder another kind of layer (for plugins).

    Raises:
        ValueError: the kind is known already.
    """
    if kind in _FACTORIES:
        raise ValueError(f"layer kind {kind.__name__} exists already")
    _FACTORIES[kind] = factory
    note_provided("layer", kind.__name__)


def make_layer(kind: kinds.Layer) -> nn.Layer:
    """The Paddle layer that computes what ``kind`` describes, freshly initialised.

    Raises:
        TypeError: nobody registered this kind.
    """
    if type(kind) not in _FACTORIES:
        raise TypeError(f"no Paddle layer for {type(kind).__name__}; call register_layer")
    return _FACTORIES[type(kind)](kind)


def trainable(layers: Sequence[nn.Layer] | nn.Layer) -> list[paddle.Tensor]:
    """Parameters that training changes; Paddle lists batch-norm statistics among the others."""
    owners = [layers] if isinstance(layers, nn.Layer) else layers
    return [p for layer in owners for p in layer.parameters() if not p.stop_gradient]
