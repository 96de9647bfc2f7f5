"""Reads models that Paddle Fluid saved as one file for each variable, packed into a tar archive.

A file is little-endian: uint32 version 0; uint64 number of LoD levels, each of them a uint64
number of bytes and so many bytes; uint32 version 0 of the tensor; int32 size of a protobuf message
with the type of number (field 1) and the dimensions (field 2, repeated); then the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import CheckpointError, DataError
from autodl.system.archives import archived_files

Variables = Mapping[str, NDArray[Any]]
_TYPES = {2: "<i4", 3: "<i8", 5: "<f4", 6: "<f8"}  # numbers of Fluid's enumeration
_LARGEST_FILE = 256 * 1024**2
_LARGEST_MODEL = 1024**3
_MOST_DIMENSIONS = 9  # Fluid's own limit
_MEND = "Get the archive again"


def read_fluid_archive(path: Path) -> dict[str, NDArray[Any]]:
    """Every variable of a ``.tar`` or ``.tar.gz`` by its name, which is the name of its file.

    Raises:
        CheckpointError: the archive is missing or damaged, tries to lead out of itself, holds files
            in several folders, or one that is no variable; the message names the file.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: pack it, by tar -cf model.tar -C {path} .")
    variables: dict[str, NDArray[Any]] = {}
    folders, size = set[tuple[str, ...]](), 0
    try:
        for parts, content in archived_files(
            path, lambda parts: bool(parts), largest=_LARGEST_FILE, mend=_MEND
        ):
            *folder, name = parts
            folders.add(tuple(folder))
            size += len(content)
            if len(folders) > 1:
                there = " and ".join(sorted("/".join(parts) or "." for parts in folders))
                raise CheckpointError(
                    f"{path} holds files in several folders, {there}; pack those of one model"
                )
            if name in variables:
                raise CheckpointError(f"{path} holds {name!r} twice")
            if size > _LARGEST_MODEL:
                raise CheckpointError(f"{path} holds more than {_LARGEST_MODEL:,} bytes")
            variables[name] = _named(content, name, path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from None
    if not variables:
        raise CheckpointError(f"{path} holds no files")
    return variables


def _named(content: bytes, name: str, path: Path) -> NDArray[Any]:
    try:
        return fluid_tensor(content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {name!r} {error}") from None


def fluid_tensor(content: bytes) -> NDArray[Any]:
    """The tensor in the file of a variable, as a copy.

    Raises:
        CheckpointError: it is cut off or goes on, is of another version or type, or its sizes do
            not agree.
    """
    reader = _Reader(content)
    _check_version(reader, "is no variable of Fluid, or of another version")
    levels = reader.number("<Q", "its number of LoD levels")
    if levels > len(content):  # before anything is looped over
        raise CheckpointError(f"claims {levels} LoD levels in {len(content)} bytes")
    for _ in range(levels):
        reader.take(reader.number("<Q", "a LoD level"), "a LoD level")
    _check_version(reader, "holds a tensor of another version")
    size = reader.number("<i", "the size of its description")
    if size < 0:
        raise CheckpointError(f"claims a description of {size} bytes")
    number, shape = _description(reader.take(size, "its description"))
    if number not in _TYPES:
        known = ", ".join(f"{key} ({np.dtype(value).name})" for key, value in _TYPES.items())
        raise CheckpointError(f"holds numbers of the unknown type {number}; known are {known}")
    dtype = np.dtype(_TYPES[number])
    numbers = reader.rest()
    if prod(shape) * dtype.itemsize != len(numbers):
        raise CheckpointError(
            f"claims {dtype.name} {list(shape)}, {prod(shape) * dtype.itemsize:,} bytes, and has"
            f" {len(numbers):,}"
        )
    return np.frombuffer(numbers, dtype).reshape(shape).astype(dtype.newbyteorder("="))


class _Reader:
    """Takes pieces off the front of a file's content; never more than there are."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    def take(self, size: int, what: str) -> bytes:
        if size > len(self._content):
            raise CheckpointError(
                f"ends within {what}: {size:,} bytes of it are due, {len(self._content):,} are left"
            )
        piece, self._content = self._content[:size], self._content[size:]
        return bytes(piece)

    def number(self, form: str, what: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form), what))[0]
        return value

    def varint(self) -> int:
        """A protobuf number of up to 64 bits, without sign."""
        value = 0
        for position in range(10):
            byte = self.take(1, "its description")[0]
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                return value
        raise CheckpointError("has a number of more than ten bytes in its description")

    def rest(self) -> bytes:
        return bytes(self._content)

    def __bool__(self) -> bool:
        return len(self._content) > 0


def _check_version(reader: _Reader, problem: str) -> None:
    version = reader.number("<I", "a version")
    if version != 0:
        raise CheckpointError(f"{problem}: {version}, expected 0")


def _description(message: bytes) -> tuple[int, tuple[int, ...]]:
    """Type of number and dimensions of a protobuf ``TensorDesc``, dimensions packed or not."""
    reader, number, shape = _Reader(message), None, list[int]()
    while reader:
        tag = reader.varint()
        if tag == 0x08:
            number = reader.varint()
        elif tag == 0x10:
            shape.append(reader.varint())
        elif tag == 0x12:
            packed = _Reader(reader.take(reader.varint(), "its dimensions"))
            while packed:
                shape.append(packed.varint())
        else:
            raise CheckpointError(f"has the unknown field {tag:#x} in its description")
    if number is None:
        raise CheckpointError("does not say its type of number")
    if len(shape) > _MOST_DIMENSIONS:
        raise CheckpointError(f"claims {len(shape)} dimensions, at most {_MOST_DIMENSIONS} can be")
    if bad := [size for size in shape if not 0 < size < 2**31]:
        signed = bad[0] - 2**64 if bad[0] >= 2**63 else bad[0]
        raise CheckpointError(f"claims a dimension of {signed}")
    return number, tuple(shape)
