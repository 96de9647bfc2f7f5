"""Arrays in ``.npz`` files: read without ever unpickling, and checked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import DataError


def read_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """Every array of the file by name.

    Raises:
        DataError: no such file, a damaged one, or one with objects in place of numbers, as NumPy
            stores series of differing lengths.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is a single array; store it by np.savez with a name")
        with stored:
            return {name: stored[name] for name in stored.files}
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        if "pickle" in str(error).lower() or "Object arrays" in str(error):
            raise DataError(
                f"{path} is no archive of plain numbers: series of differing lengths, or other"
                " objects; cut or pad all series to one length, and store them as one array"
            ) from None
        raise DataError(f"{path} is damaged: {_first_line(error)}") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"cannot read {path}: {_first_line(error)}") from None


def array_named(path: Path, arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """One array of a file.

    Raises:
        DataError: it is not there.
    """
    if name not in arrays:
        there = ", ".join(arrays) or "nothing"
        raise DataError(f"{path} has no array {name!r}; it has {there}")
    return arrays[name]


def finite(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """The array as float64, if it holds finite numbers alone.

    Raises:
        DataError: texts or other things in it, NaN or infinity; the first place is named.
    """
    if values.dtype.kind not in "fiub":
        raise DataError(f"{path}: {name!r} must hold numbers, got {values.dtype}")
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(numbers))[0]]
        raise DataError(
            f"{path}: {name!r} holds {numbers[tuple(place)]} at {place}; fill the gap, or leave it"
            " out"
        )
    return numbers


def texts(values: NDArray[Any]) -> tuple[str, ...]:
    """Integers or texts as texts."""
    return tuple(str(value) for value in values.tolist())


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
