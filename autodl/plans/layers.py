"""The kinds of layer a plan is made of: what each computes, its output shape and its cost.

Shapes leave out the batch axis: ``(channels, height, width)`` or ``(features,)``. A series is a map
of one row, so that all that is known of maps serves it. Costs count what the field counts:
multiply-accumulates (MACs) of convolutions, linear and recurrent layers, and trainable parameters
(a batch-norm's scale and shift, not its running statistics). The Paddle layer of each kind stands
in ``autodl/networks/layers.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, TypeAlias

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = tuple[int, int, int, int]  # top, bottom, left, right


def window_shape(
    size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> Pair:
    """Height and width after a sliding window (convolution or pooling, rounded down).

    Raises:
        ValueError: the window is larger than the padded input.
    """
    top, bottom, left, right = padding
    height = size[0] + top + bottom - dilation[0] * (kernel[0] - 1) - 1
    width = size[1] + left + right - dilation[1] * (kernel[1] - 1) - 1
    if height < 0 or width < 0:
        raise ValueError(f"a {kernel} window does not fit into a {size} input padded by {padding}")
    return height // stride[0] + 1, width // stride[1] + 1


@dataclass(frozen=True, slots=True)
class Layer:
    """A kind of layer; this base class describes one that keeps its input's shape for free."""

    arity: ClassVar[int | None] = 1  # number of inputs, None = one or more

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for inputs of these shapes.

        Raises:
            ValueError: the inputs do not fit this layer.
        """
        return inputs[0]

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return 0

    def macs(self, output: Shape) -> int:
        """Multiply-accumulates for one picture when the output has this shape."""
        return 0


@dataclass(frozen=True, slots=True)
class Input(Layer):
    """The network's input; always the first layer of a plan."""

    arity: ClassVar[int | None] = 0
    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape it was made with."""
        return self.shape


@dataclass(frozen=True, slots=True)
class Conv(Layer):
    """A two-dimensional convolution with zero padding given for each side.

    ``weight_std`` is the deviation of its first weights, None that of all other layers' rule.
    """

    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    weight_std: float | None = None

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(out_channels, height, width)``."""
        channels, *size = inputs[0]
        if channels != self.in_channels or len(size) != 2:
            raise ValueError(f"a convolution of {self.in_channels} channels got {inputs[0]}")
        height, width = window_shape(
            (size[0], size[1]), self.kernel, self.stride, self.padding, self.dilation
        )
        return self.out_channels, height, width

    @property
    def parameters(self) -> int:
        """Weights and, if it has one, the bias."""
        weights = self.out_channels * self.in_channels // self.groups * prod(self.kernel)
        return weights + self.out_channels * self.bias

    def macs(self, output: Shape) -> int:
        """Kernel size times input channels for every output value; the bias is free."""
        return prod(output) * self.in_channels // self.groups * prod(self.kernel)


@dataclass(frozen=True, slots=True)
class BatchNorm(Layer):
    """Batch normalisation; ``momentum`` is the share of the old mean.

    With a scale and a shift of each channel, unless it is not ``affine``.
    """

    channels: int
    momentum: float = 0.9
    epsilon: float = 1e-3
    affine: bool = True

    @property
    def parameters(self) -> int:
        """Scale and shift."""
        return 2 * self.channels * self.affine


@dataclass(frozen=True, slots=True)
class Relu(Layer):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Gelu(Layer):
    """x times the probability that a standard normal number is below x (arXiv:1606.08415)."""


@dataclass(frozen=True, slots=True)
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, slots=True)
class MaxPool(Layer):
    """Maximum over a window; padding never wins, as if it were minus infinity.

    The original pads with zeros. In its cells every pool reads the output of a ReLU, which is
    never negative, so the results are the same.
    """

    kernel: Pair
    stride: Pair
    padding: Padding = (0, 0, 0, 0)

    def output_shape(self, *inputs: Shape) -> Shape:
        """The input's channels on a smaller map."""
        channels, height, width = inputs[0]
        return channels, *window_shape((height, width), self.kernel, self.stride, self.padding)


@dataclass(frozen=True, slots=True)
class AvgPool(Layer):
    """Mean over a window; ``count_padding`` says whether padded zeros belong to the mean."""

    kernel: Pair
    stride: Pair
    padding: Padding = (0, 0, 0, 0)
    count_padding: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        """The input's channels on a smaller map."""
        channels, height, width = inputs[0]
        return channels, *window_shape((height, width), self.kernel, self.stride, self.padding)


@dataclass(frozen=True, slots=True)
class Add(Layer):
    """Sum of one or more inputs of the same shape."""

    arity: ClassVar[int | None] = None

    def output_shape(self, *inputs: Shape) -> Shape:
        """The common shape of all inputs."""
        if len(set(inputs)) != 1:
            raise ValueError(f"cannot add inputs of shapes {sorted(set(inputs))}")
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Concat(Layer):
    """One or more inputs of the same height and width side by side, in order, on channels."""

    arity: ClassVar[int | None] = None

    def output_shape(self, *inputs: Shape) -> Shape:
        """The sum of the channels on the common map."""
        if len({shape[1:] for shape in inputs}) != 1:
            raise ValueError(f"cannot concatenate inputs of shapes {sorted(set(inputs))}")
        return sum(shape[0] for shape in inputs), *inputs[0][1:]


@dataclass(frozen=True, slots=True)
class Crop(Layer):
    """The maps without their first rows and columns."""

    top: int
    left: int

    def output_shape(self, *inputs: Shape) -> Shape:
        """The input's channels on a smaller map."""
        channels, height, width = inputs[0]
        if height <= self.top or width <= self.left:
            raise ValueError(f"cannot cut {self.top} rows and {self.left} columns off {inputs[0]}")
        return channels, height - self.top, width - self.left


@dataclass(frozen=True, slots=True)
class EverySecond(Layer):
    """Every second channel, from channel ``first`` on, 0 or 1."""

    first: int

    def output_shape(self, *inputs: Shape) -> Shape:
        """Half of the channels on the same map."""
        channels, *size = inputs[0]
        if channels < 2:
            raise ValueError(f"every second channel of {inputs[0]} leaves nothing to one half")
        return (channels + 1 - self.first) // 2, *size


@dataclass(frozen=True, slots=True)
class GlobalAvgPool(Layer):
    """Mean over height and width."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(channels,)``."""
        return inputs[0][:1]


@dataclass(frozen=True, slots=True)
class GlobalMaxPool(Layer):
    """Maximum over height and width."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(channels,)``."""
        return inputs[0][:1]


@dataclass(frozen=True, slots=True)
class Times(Layer):
    """All values times one number that is not learned."""

    factor: float


@dataclass(frozen=True, slots=True)
class Scale(Layer):
    """The maps of the first input, each times its number in the second one, ``(channels,)``."""

    arity: ClassVar[int | None] = 2

    def output_shape(self, *inputs: Shape) -> Shape:
        """The first input's."""
        if len(inputs[0]) != 3 or inputs[1] != inputs[0][:1]:
            raise ValueError(f"cannot scale maps {inputs[0]} by {inputs[1]}, one number for each")
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """All values in a row: channel by channel, each row by row."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(features,)``."""
        return (prod(inputs[0]),)


@dataclass(frozen=True, slots=True)
class Dropout(Layer):
    """Zeroes a share ``rate`` of the values while training and scales up the rest."""

    rate: float


@dataclass(frozen=True, slots=True)
class DropPath(Layer):
    """Zeroes whole pictures while training and scales up the rest; a hook sets the rate.

    ``DropPath`` of ``Train.hooks`` can have it zero single values in their place.
    """


@dataclass(frozen=True, slots=True)
class Linear(Layer):
    """A fully connected layer; its weight is ``[in_features, out_features]``.

    ``weight_std`` is the deviation of its first weights, None that of all other layers' rule.
    """

    in_features: int
    out_features: int
    weight_std: float | None = None
    bias: bool = True

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(out_features,)``."""
        if inputs[0] != (self.in_features,):
            raise ValueError(f"a linear layer of {self.in_features} inputs got {inputs[0]}")
        return (self.out_features,)

    @property
    def parameters(self) -> int:
        """Weights and, if it has one, the bias."""
        return (self.in_features + self.bias) * self.out_features

    def macs(self, output: Shape) -> int:
        """One for every weight."""
        return self.in_features * self.out_features


@dataclass(frozen=True, slots=True)
class AsMap(Layer):
    """A series ``(channels, length)`` as a map of one row."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(channels, 1, length)``."""
        if len(inputs[0]) != 2:
            raise ValueError(f"a series has channels and a length, got the shape {inputs[0]}")
        channels, length = inputs[0]
        return channels, 1, length


@dataclass(frozen=True, slots=True)
class Product(Layer):
    """The maps of the first input times those of the second, of which there may be one for all."""

    arity: ClassVar[int | None] = 2

    def output_shape(self, *inputs: Shape) -> Shape:
        """The first input's."""
        maps, factors = inputs
        if factors[1:] != maps[1:] or factors[0] not in (1, maps[0]):
            raise ValueError(f"cannot multiply maps {maps} by {factors}")
        return maps


@dataclass(frozen=True, slots=True)
class Recurrent(Layer):
    """A layer that goes along the one row of its map, step by step, from a state of zeros.

    Each of its ``gates`` has a weight for the input, one for the state, and two biases.
    """

    in_channels: int
    out_channels: int
    gates: ClassVar[int]

    def output_shape(self, *inputs: Shape) -> Shape:
        """``(out_channels, 1, length)``: the state after every step."""
        channels, *size = inputs[0]
        if channels != self.in_channels or len(size) != 2 or size[0] != 1:
            raise ValueError(f"a recurrence over rows of {self.in_channels} got {inputs[0]}")
        return self.out_channels, 1, size[1]

    @property
    def parameters(self) -> int:
        """Weights and biases of all gates."""
        return self.gates * self.out_channels * (self.in_channels + self.out_channels + 2)

    def macs(self, output: Shape) -> int:
        """One for every weight at every step; the products of gates and states are free."""
        return self.gates * prod(output) * (self.in_channels + self.out_channels)


@dataclass(frozen=True, slots=True)
class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with a forget gate (Gers, 2000)."""

    gates: ClassVar[int] = 4


@dataclass(frozen=True, slots=True)
class Gru(Recurrent):
    """Gated recurrent unit (Cho et al., EMNLP 2014), its reset behind the product with the state.

    That is the form of cuDNN: ``tanh(W x + b + r * (U h + c))``.
    """

    gates: ClassVar[int] = 3
