"""Compressed weights in one safetensors file: indices of exactly as many bits as a layer has.

The file holds one array of bytes and a checksum (the names of more arrays would be a percent of a
small network). First comes a byte for each tensor that could be rounded: its bits, 64 more where
the levels are a grid, 255 where it was kept as it is. Then the indices of each layer in turn, the
lowest bit first, filled up to whole bytes. Then float32 numbers, for each tensor in turn: its
levels, its offset and step, or itself. What the tensors are called, and their shapes, the network
says into which they are loaded, in the order of its state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from autodl.compression.bits.levels import MOST_BITS, Levels
from autodl.compression.errors import CompressionError
from autodl.errors import CheckpointError, StoreError
from autodl.system.files import write_bytes

FloatArray = NDArray[np.float32]
Shapes: TypeAlias = Mapping[str, Sequence[int]]
FORMAT = "autodl-packed-1"
_ARRAY = "packed"
_GRID, _KEPT = 64, 255


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A tensor whose numbers are levels: ``levels.values[indices]``."""

    levels: Levels
    indices: NDArray[np.int64]

    @classmethod
    def of(cls, weights: FloatArray, levels: Levels) -> Rounded:
        """Every weight at its nearest level."""
        return cls(levels, levels.nearest(weights))

    @property
    def weights(self) -> FloatArray:
        """Float32, of the shape of the indices."""
        return self.levels.values[self.indices]


Tensors: TypeAlias = Mapping[str, Rounded | FloatArray]


def pack_indices(indices: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Indices as a stream of ``bits`` bits each: ``ceil(N bits / 8)`` bytes.

    Raises:
        CompressionError: bits not in 0..16, or an index not in ``[0, 2^bits)``.
    """
    _check_bits(bits)
    flat = indices.ravel()
    if flat.size and (flat.min() < 0 or flat.max() >= 2**bits):
        raise CompressionError(
            f"indices of {bits} bits are 0 to {2**bits - 1}, got {flat.min()} to {flat.max()}"
        )
    places = np.arange(bits, dtype=np.int64)
    return np.packbits((flat[:, None] >> places & 1).astype(np.uint8), bitorder="little")


def unpack_indices(packed: NDArray[np.uint8], count: int, bits: int) -> NDArray[np.int64]:
    """The inverse of ``pack_indices``.

    Raises:
        CompressionError: bits not in 0..16, or the bytes are not those of ``count`` indices.
    """
    _check_bits(bits)
    if len(packed) != -(-count * bits // 8):
        raise CompressionError(
            f"{count} indices of {bits} bits are {-(-count * bits // 8)} bytes, got {len(packed)}"
        )
    stream = np.unpackbits(packed, count=count * bits, bitorder="little")
    return stream.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits, dtype=np.int64))


def _check_bits(bits: int) -> None:
    if not 0 <= bits <= MOST_BITS:
        raise CompressionError(f"bits per weight are 0 to {MOST_BITS}, got {bits}")


def storage_bits(tensors: Tensors) -> int:
    """Bits by the formula: indices and levels of what is rounded, 32 for every other number."""
    return sum(
        value.levels.storage_bits(value.indices.size)
        if isinstance(value, Rounded)
        else 32 * value.size
        for value in tensors.values()
    )


def save_packed(path: Path, tensors: Tensors) -> None:
    """Write a new file; the network's own order of tensors has to be kept.

    Raises:
        StoreError: ``path`` is there already, or cannot be written.
        CompressionError: a tensor that is kept is not float32.
    """
    if path.exists():
        raise StoreError(f"{path} is there already and stays as it is; choose another file")
    bits, streams, numbers = list[int](), list[NDArray[np.uint8]](), list[FloatArray]()
    for name, value in tensors.items():
        if isinstance(value, Rounded):
            levels = value.levels
            bits.append(levels.bits + (0 if levels.grid is None else _GRID))
            streams.append(pack_indices(value.indices, levels.bits))
            numbers.append(
                levels.values if levels.grid is None else np.array(levels.grid, np.float32)
            )
            continue
        if value.dtype != np.float32:
            raise CompressionError(f"{name} holds {value.dtype}; packed files hold float32")
        if _may_be_rounded(value.shape):
            bits.append(_KEPT)
        numbers.append(value.ravel())
    tail = np.concatenate([np.zeros(0, np.float32), *numbers]).astype("<f4").view(np.uint8)
    packed = np.concatenate([np.array(bits, np.uint8), *streams, tail])
    shapes = {name: _shape(value) for name, value in tensors.items()}
    # one entry: safetensors writes several in any order, and the same network gives the same file
    write_bytes(path, save({_ARRAY: packed}, metadata={FORMAT: _checksum(packed, shapes)}))


def load_packed(path: Path, shapes: Shapes) -> dict[str, Rounded | FloatArray]:
    """Read what ``save_packed`` wrote, bit for bit.

    Args:
        shapes: of the network's tensors, in the order of its state.

    Raises:
        CheckpointError: the file is missing, cut short, altered, or of another network.
    """
    try:
        content = path.read_bytes()
        arrays = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = header.get("__metadata__", {})
        if FORMAT not in about or set(arrays) != {_ARRAY}:
            raise CheckpointError(f"{path} is no packed file of this project ({FORMAT})")
        if about[FORMAT] != _checksum(arrays[_ARRAY], shapes):
            raise CheckpointError(
                f"{path} is altered, or of another network: its checksum is not that of its"
                " content; make it anew"
            )
        return _taken_apart(arrays[_ARRAY], shapes)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"cannot read the packed weights {path}: {error}; make them anew"
        ) from None


def _taken_apart(packed: NDArray[np.uint8], shapes: Shapes) -> dict[str, Rounded | FloatArray]:
    matrices = [name for name, shape in shapes.items() if _may_be_rounded(shape)]
    kinds = dict(zip(matrices, packed[: len(matrices)].tolist(), strict=True))
    lengths = {
        name: -(-prod(shapes[name]) * (kind & ~_GRID) // 8)
        for name, kind in kinds.items()
        if kind != _KEPT
    }
    middle = len(matrices) + sum(lengths.values())
    indices = packed[len(matrices) : middle]
    numbers = np.frombuffer(packed[middle:].tobytes(), "<f4").astype(np.float32)
    tensors: dict[str, Rounded | FloatArray] = {}
    for name, shape in shapes.items():
        kind, count = kinds.get(name, _KEPT), prod(shape)
        if kind == _KEPT:
            tensors[name], numbers = numbers[:count].reshape(shape), numbers[count:]
            continue
        even, width = kind & _GRID, kind & ~_GRID
        size = 2 if even else 2**width
        own, numbers = numbers[:size], numbers[size:]
        levels = Levels.even(own[0], own[1], width) if even else Levels(width, own)
        stream, indices = indices[: lengths[name]], indices[lengths[name] :]
        tensors[name] = Rounded(levels, unpack_indices(stream, count, width).reshape(shape))
    return tensors


def _may_be_rounded(shape: Sequence[int]) -> bool:
    return len(shape) > 1  # weights of convolutions and linear layers


def _shape(value: Rounded | FloatArray) -> tuple[int, ...]:
    return value.indices.shape if isinstance(value, Rounded) else value.shape


def _checksum(packed: NDArray[np.uint8], shapes: Shapes) -> str:
    """Of the content, and of the names and shapes that it is for."""
    digest = hashlib.blake2b(digest_size=16)
    named = [[name, [int(n) for n in shape]] for name, shape in shapes.items()]
    digest.update(json.dumps(named).encode())
    digest.update(packed.tobytes())
    return digest.hexdigest()
