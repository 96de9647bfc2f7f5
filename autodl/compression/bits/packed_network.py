"""A network with the weights of a packed file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle import nn


def load_packed_weights(network: nn.Layer, path: Path) -> None:
    """Give a network the weights of a packed file, bit for bit.

    Raises:
        CheckpointError: the file is missing, cut short, altered, or of another network.
    """
    from autodl.compression.bits.packing import Rounded, load_packed
    from autodl.training.weights import load_arrays

    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    tensors = load_packed(path, shapes)
    load_arrays(
        network,
        {
            name: value.weights if isinstance(value, Rounded) else value
            for name, value in tensors.items()
        },
    )
