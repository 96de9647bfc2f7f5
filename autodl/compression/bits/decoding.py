"""A network that holds packed weights, and decodes them by operations of its own graph.

Such a network can be written in any format that holds bytes, and keeps its size there. Its weights
depend on no input: an engine that folds constants decodes them once, when it loads the file.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from autodl.compression.bits.packing import FloatArray, Rounded, pack_indices
from autodl.compression.errors import CompressionError


def decoding_network(network: nn.Layer, tensors: Mapping[str, Rounded | FloatArray]) -> nn.Layer:
    """A copy of a network, in evaluation mode, that holds its rounded layers as they are packed.

    Outputs are the network's, but for what float32 leaves of ``offset + step * index``.

    Args:
        tensors: of the network's state by name, as ``read_packed`` gives them.

    Raises:
        CompressionError: a rounded tensor is no weight of a convolution or linear layer, or the
            network does not have these weights, as after more training.
    """
    copied = copy.deepcopy(network)
    state, layers = copied.state_dict(), dict(copied.named_sublayers())
    table = paddle.to_tensor((np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint8))
    for name, packed in tensors.items():
        path, _, leaf = name.rpartition(".")
        if not isinstance(packed, Rounded):
            continue
        layer = layers.get(path)
        if leaf != "weight" or not isinstance(layer, nn.Conv2D | nn.Linear):
            raise CompressionError(f"{name} is no weight of a convolution or linear layer")
        if not np.array_equal(state[name].numpy(), packed.weights):
            raise CompressionError(f"{name} is not what was packed: it was changed since")
        parent, _, own = path.rpartition(".")
        holder = layers[parent] if parent else copied
        holder._sub_layers[own] = _DecodingLayer(layer, PackedWeight(packed, table))
    copied.eval()
    return copied


class PackedWeight(nn.Layer):
    """Indices of so many bits in a stream of bytes, and the numbers that they stand for.

    Args:
        packed: what is held.
        table: uint8 ``[256, 8]``, the bits of every byte, the lowest first; one for all layers.
    """

    def __init__(self, packed: Rounded, table: paddle.Tensor) -> None:
        super().__init__()
        levels = packed.levels
        self._shape, self._bits = list(packed.indices.shape), levels.bits
        self._even = levels.grid is not None
        numbers = levels.values if levels.grid is None else np.array(levels.grid, np.float32)
        self.register_buffer("numbers", paddle.to_tensor(numbers))
        if self._bits:
            stream = pack_indices(packed.indices, self._bits)
            places = (2.0 ** np.arange(self._bits)).astype(np.float32)
            self.register_buffer("stream", paddle.to_tensor(stream))
            self.register_buffer("places", paddle.to_tensor(places))
            self.register_buffer("table", table)

    def forward(self) -> paddle.Tensor:
        """The weights, float32, of their shape."""
        if not self._bits:
            return self.numbers[:1].expand(self._shape)
        count = int(np.prod(self._shape))
        bits = paddle.gather(self.table.astype("float32"), self.stream.astype("int32"))
        bits = bits.flatten()[: count * self._bits].reshape([count, self._bits])
        index = paddle.matmul(bits, self.places)  # exact: at most 2^16
        if self._even:
            return (self.numbers[0] + self.numbers[1] * index).reshape(self._shape)
        return paddle.gather(self.numbers, index.astype("int32")).reshape(self._shape)


class _DecodingLayer(nn.Layer):
    """A convolution or linear layer whose weight is decoded."""

    def __init__(self, layer: nn.Conv2D | nn.Linear, weight: PackedWeight) -> None:
        super().__init__()
        self.weight, self.bias = weight, layer.bias
        self._options = None
        if isinstance(layer, nn.Conv2D):
            self._options = {
                "stride": layer._stride,
                "padding": layer._padding,
                "dilation": layer._dilation,
                "groups": layer._groups,
            }

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """What the layer gives."""
        if self._options is None:
            return F.linear(x, self.weight(), self.bias)
        return F.conv2d(x, self.weight(), self.bias, **self._options)
