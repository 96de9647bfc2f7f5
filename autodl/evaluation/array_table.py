"""Tables of published benchmarks: arrays in an ``.npz`` file, a row for every architecture.

The file has the architectures' rows as integers (``ops`` for cells with operations on edges, whose
names are in ``operations``; ``codes`` for chains), and columns: arrays with a number, or one for
each of several trainings, for every row. Such files are data for studies and do not ship.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError, DataError
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.space import Coded
from autodl.trial import Architecture

_NAMES = "operations"  # of the codes of cells
_ROWS = ("ops", "codes")
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ArrayTable:
    """The numbers of every architecture of a space.

    ``values`` are float64 ``[rows, columns]``; ``places`` says in which row the architecture
    stands whose decisions have this number in mixed radix, int64 ``[rows]``.
    """

    space: Coded[Any]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    places: NDArray[np.int64]

    @property
    def kind(self) -> str:
        """The kind of its architectures."""
        return self.space.kind

    def numbers(self, architecture: Architecture) -> dict[str, float] | None:
        """All columns of an architecture; None if the table does not have it."""
        try:
            row = self.space.encode(architecture)
        except ConfigError:
            return None
        place = self.places[np.ravel_multi_index(tuple(row), self.space.sizes)]
        return dict(zip(self.columns, self.values[place].tolist(), strict=True))


def read_arrays(path: Path) -> ArrayTable:
    """Read a table; nothing is unpickled. The same file is read once in a process.

    Raises:
        DataError: the file is missing or damaged, has not every architecture of its space exactly
            once, or a column of another length.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(
            f"cannot read the table {path}: {error.strerror}; it is published data that does not"
            " ship: say where it is by Evaluator.path=FILE.npz"
        ) from None


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> ArrayTable:
    """``changed`` tells files of one name apart."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile, AttributeError, KeyError) as error:
        raise DataError(f"cannot read the table {path}: {error}") from None
    try:
        return _table(arrays)
    except (DataError, ConfigError) as error:
        raise DataError(f"the table {path}: {error}") from None


def _table(arrays: Arrays) -> ArrayTable:
    key = next((name for name in _ROWS if name in arrays), None)
    if key is None:
        found = ", ".join(arrays) or "none"
        raise DataError(f"it has the arrays {found}, and none of {', '.join(_ROWS)} with its rows")
    space: Coded[Any] = ChainSpace()
    if key == "ops":
        if _NAMES not in arrays:
            raise DataError(f"it has no array {_NAMES!r} with the names of its operations")
        space = EdgeCellSpace(tuple(map(str, arrays[_NAMES])))
    rows = arrays[key]
    places = _places(rows, space.sizes, key)
    columns = {
        name: _column(name, array, len(rows))
        for name, array in arrays.items()
        if name not in (*_ROWS, _NAMES)
    }
    if not columns:
        raise DataError("it has rows and no column of results")
    return ArrayTable(space, tuple(columns), np.stack(list(columns.values()), axis=1), places)


def _places(rows: NDArray[Any], sizes: tuple[int, ...], key: str) -> NDArray[np.int64]:
    """Where each architecture stands; DataError unless each does exactly once."""
    if rows.ndim != 2 or rows.shape[1] != len(sizes) or rows.dtype.kind not in "iu":
        raise DataError(
            f"{key} must be integers [rows, {len(sizes)}], got {rows.dtype} {list(rows.shape)}"
        )
    outside = ((rows < 0) | (rows >= np.array(sizes))).any(axis=1)
    if outside.any():
        place = int(outside.argmax())
        raise DataError(f"row {place} of {key} is out of range: {rows[place].tolist()}")
    numbers = np.ravel_multi_index(tuple(rows.astype(np.int64).T), sizes)
    counts = np.bincount(numbers, minlength=prod(sizes))
    if (counts > 1).any():
        first, second = np.flatnonzero(numbers == counts.argmax())[:2]
        raise DataError(f"row {second} of {key} is row {first} again: {rows[first].tolist()}")
    if not counts.all():
        missing = [int(code) for code in np.unravel_index(int(counts.argmin()), sizes)]
        raise DataError(
            f"{len(rows):,} of the {prod(sizes):,} architectures of its space are there; missing is"
            f" {missing}"
        )
    return np.argsort(numbers).astype(np.int64)


def _column(name: str, array: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """One number for each row: the mean where there are several."""
    if array.ndim not in (1, 2) or len(array) != rows or array.dtype.kind not in "iuf":
        raise DataError(
            f"column {name!r} must be numbers for {rows:,} rows, got {array.dtype}"
            f" {list(array.shape)}"
        )
    numbers = array.astype(np.float64)
    return numbers if array.ndim == 1 else numbers.mean(axis=1)
