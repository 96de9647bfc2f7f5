"""A network's weights in a safetensors file, which is never half-written and runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn
from safetensors import SafetensorError
from safetensors.numpy import load, save

from autodl.errors import CheckpointError
from autodl.system.files import replacing


def save_weights(network: nn.Layer, path: Path) -> None:
    """Write all weights and batch-norm statistics under their names in the network."""
    with replacing(path) as aside:
        aside.write_bytes(encode_weights(network))


def encode_weights(network: nn.Layer) -> bytes:
    """What ``save_weights`` writes."""
    content: bytes = save({name: value.numpy() for name, value in network.state_dict().items()})
    return content


def load_weights(network: nn.Layer, path: Path) -> None:
    """Read what ``save_weights`` wrote; nothing is changed unless all of it fits.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    arrays = read_weights(path)
    try:
        load_arrays(network, arrays)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors in a file of ``save_weights``, by name.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        arrays: dict[str, NDArray[Any]] = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the weights {path}: {error}") from None
    except (KeyError, ValueError, TypeError) as error:  # NumPy has no such type of number
        raise CheckpointError(
            f"cannot read the weights {path}: it holds numbers of an unknown type ({error})"
        ) from None
    return arrays


def load_arrays(network: nn.Layer, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a network its weights and statistics; nothing is changed unless all of them fit.

    Raises:
        CheckpointError: a missing or surplus name, another shape or type of number.
    """
    own = network.state_dict()
    for name in own:
        if name not in arrays:
            raise CheckpointError(f"the saved weights lack {name!r}: they are of another network")
    for name, array in arrays.items():
        if name not in own:
            raise CheckpointError(f"the network has no {name!r}: the weights are of another one")
        if list(own[name].shape) != list(array.shape):
            raise CheckpointError(
                f"saved {name!r} has shape {list(array.shape)}, the network {list(own[name].shape)}"
            )
        if array.dtype.name != own[name].dtype.name.lower():
            raise CheckpointError(
                f"saved {name!r} holds {array.dtype}, the network {own[name].dtype.name.lower()}"
            )
    for name, array in arrays.items():
        own[name].set_value(paddle.to_tensor(array))
