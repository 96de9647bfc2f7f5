"""Sets of series with a class each, from ``.npz`` archives and from two layouts of CSV files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodl.data.series.archive import array_named, finite, read_arrays, texts
from autodl.data.series.table import Table, read_table
from autodl.errors import DataError

SHORTEST = 2


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSeries:
    """Series of one length, float32 ``[N, channels, length]``, and their classes' names.

    ``labels`` has a name for each series, or is empty where nobody has named them; ``channels`` has
    a name for each channel, or is empty where the file has none.
    """

    values: NDArray[np.float32]
    labels: tuple[str, ...]
    channels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) over shape, values and labels."""
        digest = hashlib.sha256(repr(self.values.shape).encode())
        digest.update(np.ascontiguousarray(self.values, dtype="<f4").data)
        digest.update("\0".join(self.labels).encode())
        return digest.hexdigest()

    def take(self, positions: NDArray[np.int64]) -> LabelledSeries:
        """The series at these positions, in that order."""
        labels = tuple(self.labels[i] for i in positions.tolist()) if self.labels else ()
        return LabelledSeries(self.values[positions], labels, self.channels)


def read_labelled(
    path: Path,
    *,
    label: str | None = "label",
    series: str | None = None,
    channels: Sequence[str] = (),
) -> LabelledSeries:
    """Read a set of series.

    A ``.npz`` file has ``series``, ``[N, length]`` or ``[N, channels, length]``, and ``labels``,
    ``[N]``, integers or texts. A ``.csv`` file has a series in each row, its values from left to
    right, or, where ``series`` names a column, a step in each row and a channel in each column.

    Args:
        label: column (or array) of the classes; None where they are not known.
        series: column whose value is the same in all rows of a series.
        channels: columns that are the channels, in this order, where ``series`` names a column;
            others are left out. Empty: all but the two, in the order of the file.

    Raises:
        DataError: the file is unusable; see the errors of this room.
    """
    names: tuple[str, ...] = ()
    if path.suffix == ".npz":
        values, labels = _from_archive(path, None if label is None else "labels")
    elif path.suffix == ".csv":
        table = read_table(path)
        if label is not None:
            table.texts(label)  # before its other columns, which may be no numbers without it
        if series is None:
            values, labels = _row_by_row(table, label)
        else:
            names = tuple(channels) or _channels(table, label, series)
            values, labels = _step_by_step(table, label, series, names)
    else:
        raise DataError(f"series are read from .npz and .csv files, got {path.name!r}")
    if values.shape[2] < SHORTEST:
        raise DataError(f"{path}: a series has at least {SHORTEST} steps, got {values.shape[2]}")
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise DataError(f"{path} holds {values.max():.3g}, too large for float32; scale it down")
    return LabelledSeries(narrow, labels, names)


def _from_archive(path: Path, label: str | None) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    arrays = read_arrays(path)
    stored = array_named(path, arrays, "series")
    if stored.ndim not in (2, 3) or 0 in stored.shape:
        raise DataError(
            f"{path}: 'series' must be [N, length] or [N, channels, length], got"
            f" {list(stored.shape)}"
        )
    values = finite(path, "series", stored)
    if values.ndim == 2:
        values = values[:, None]
    if label is None:
        return values, ()
    names = array_named(path, arrays, label)
    if names.shape != (len(values),) or names.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: 'labels' must be an integer or a text for each of {len(values)} series, got"
            f" {names.dtype} {list(names.shape)}"
        )
    return values, texts(names)


def _row_by_row(table: Table, label: str | None) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """A series in each row."""
    columns = [name for name in table.columns if name != label]
    values = table.numbers(columns)[:, None]
    return values, () if label is None else table.texts(label)


def _channels(table: Table, label: str | None, series: str) -> tuple[str, ...]:
    """All columns of values."""
    columns = tuple(name for name in table.columns if name not in (label, series))
    if not columns:
        raise DataError(f"{table.path} has no column of values beside {series!r} and {label!r}")
    return columns


def _step_by_step(
    table: Table, label: str | None, series: str, channels: Sequence[str]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """A step in each row; the steps of a series are in order, but others may stand between."""
    names = table.texts(series)
    values = table.numbers(channels)
    rows: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        rows.setdefault(name, []).append(number)
    _check_lengths(table.path, {name: len(own) for name, own in rows.items()})
    stacked = np.stack([values[own].T for own in rows.values()])
    if label is None:
        return stacked, ()
    return stacked, _one_label_each(table, label, rows)


def _check_lengths(path: Path, lengths: Mapping[str, int]) -> None:
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise DataError(
                f"{path}: the series {name!r} has {length} steps, {first!r} has {lengths[first]};"
                " cut or pad all to one length"
            )


def _one_label_each(table: Table, label: str, rows: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    given = table.texts(label)
    for name, own in rows.items():
        if len(two := sorted({given[number] for number in own})) > 1:
            raise DataError(
                f"{table.path}: the series {name!r} has the labels {two[0]!r} and {two[1]!r};"
                f" give all its rows the same {label!r}"
            )
    return tuple(given[own[0]] for own in rows.values())
