"""A network's weights in a safetensors file, which is never half-written and runs no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from paddle import nn
from safetensors import SafetensorError
from safetensors.numpy import load, save

from autodl.errors import CheckpointError
from autodl.system.files import replacing
from autodl.training.trainer import load_arrays


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
