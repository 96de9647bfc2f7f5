"""A network with the weights of a packed file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle import nn

    from autodl.compression.bits.packing import FloatArray, Rounded


def read_packed(network: nn.Layer, path: Path) -> dict[str, Rounded | FloatArray]:
    """The tensors of a packed file by name, those of rounded layers as levels and indices.

    Args:
        network: that they are of; only its names and shapes are read.

    Raises:
        CheckpointError: the file is missing, cut short, altered, or of another network.
    """
    from autodl.compression.bits.packing import load_packed

    return load_packed(path, {name: list(v.shape) for name, v in network.state_dict().items()})


def read_packed_weights(network: nn.Layer, path: Path) -> dict[str, FloatArray]:
    """The same, decoded: float32 numbers.

    Raises:
        CheckpointError: the file is missing, cut short, altered, or of another network.
    """
    from autodl.compression.bits.packing import Rounded

    return {
        name: value.weights if isinstance(value, Rounded) else value
        for name, value in read_packed(network, path).items()
    }


def load_packed_weights(network: nn.Layer, path: Path) -> None:
    """Give a network the weights of a packed file, bit for bit.

    Raises:
        CheckpointError: the file is missing, cut short, altered, or of another network.
    """
    from autodl.training.weights import load_arrays

    load_arrays(network, read_packed_weights(network, path))
