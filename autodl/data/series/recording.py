"""One long series: what was recorded step by step, in columns, from ``.npz`` and CSV files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.series.archive import array_named, finite, read_arrays, texts
from autodl.data.series.table import read_table
from autodl.errors import DataError, did_you_mean


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Values float64 ``[steps, columns]``, oldest first, and the names of the columns."""

    values: NDArray[np.float64]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) over shape, values and names."""
        digest = hashlib.sha256(repr(self.values.shape).encode())
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").data)
        digest.update("\0".join(self.columns).encode())
        return digest.hexdigest()


def read_recording(path: Path, columns: Sequence[str] | None = None) -> Recording:
    """Read a recording, or some of its columns.

    A ``.npz`` file has ``values``, ``[steps]`` or ``[steps, columns]``, and may name the columns in
    ``columns``; without names they are ``0``, ``1`` ... A ``.csv`` file has a step in each row.

    Raises:
        DataError: the file is unusable, or lacks a column.
    """
    if path.suffix == ".csv":
        table = read_table(path)
        chosen = tuple(table.columns if columns is None else columns)
        return Recording(table.numbers(chosen), chosen)
    if path.suffix != ".npz":
        raise DataError(f"series are read from .npz and .csv files, got {path.name!r}")
    arrays = read_arrays(path)
    stored = array_named(path, arrays, "values")
    if stored.ndim not in (1, 2) or 0 in stored.shape:
        raise DataError(
            f"{path}: 'values' must be [steps] or [steps, columns], got {list(stored.shape)}"
        )
    values = finite(path, "values", stored)
    values = values[:, None] if values.ndim == 1 else values
    names = _names(path, arrays.get("columns"), values.shape[1])
    chosen = names if columns is None else tuple(columns)
    for name in chosen:
        if name not in names:
            raise DataError(
                f"{path} has no column {name!r}.{did_you_mean(name, names)}"
                f" It has {', '.join(names)}"
            )
    return Recording(values[:, [names.index(name) for name in chosen]], chosen)


def _names(path: Path, stored: NDArray[Any] | None, count: int) -> tuple[str, ...]:
    if stored is None:
        return tuple(map(str, range(count)))
    names = texts(stored) if stored.ndim == 1 else ()
    if len(names) != count or len(set(names)) < count:
        raise DataError(
            f"{path}: 'columns' must be {count} different names, one for each column of 'values'"
        )
    return names
