"""Tables of numbers in CSV files: a first line that names the columns, then a line for each row."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodl.errors import DataError, did_you_mean

_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a CSV file as texts, row by row, and the names of its columns.

    ``lines`` holds the number of each row's line in the file, from 1.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def texts(self, column: str) -> tuple[str, ...]:
        """The cells of a column.

        Raises:
            DataError: no such column, or an empty cell in it.
        """
        place = self._place(column)
        for row, line in zip(self.rows, self.lines, strict=True):
            if not row[place]:
                raise DataError(f"{self.path}, line {line}: the column {column!r} is empty")
        return tuple(row[place] for row in self.rows)

    def numbers(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """The cells of some columns as finite numbers, ``[rows, columns]``.

        Raises:
            DataError: no such column, or a cell that is empty, no number, or not finite.
        """
        places = [(self._place(column), column) for column in columns]
        found = np.empty((len(self.rows), len(places)))
        for number, (row, line) in enumerate(zip(self.rows, self.lines, strict=True)):
            for position, (place, column) in enumerate(places):
                found[number, position] = self._number(row[place], line, column)
        return found

    def _place(self, column: str) -> int:
        if column not in self.columns:
            raise DataError(
                f"{self.path} has no column {column!r}.{did_you_mean(column, self.columns)}"
                f" It has {_listed(self.columns)}"
            )
        return self.columns.index(column)

    def _number(self, cell: str, line: int, column: str) -> float:
        where = f"{self.path}, line {line}: the column {column!r}"
        if not cell:
            raise DataError(f"{where} is empty; fill the gap, or leave out the row")
        try:
            value = float(cell)
        except ValueError:
            raise DataError(
                f"{where} holds {cell[:40]!r}, which is no number; mend it, or leave the column out"
            ) from None
        if not math.isfinite(value):
            raise DataError(f"{where} holds {cell!r}; fill the gap, or leave out the row")
        return value


def read_table(path: Path) -> Table:
    """Read a CSV file, UTF-8, with commas, semicolons or tabs between cells.

    Raises:
        DataError: no such file, no text, no names in the first line, a name that is twice there, no
            rows, or a row with more or fewer cells than there are names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}; it must be a CSV file in UTF-8") from None
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    try:
        read = [(tuple(c.strip() for c in row), reader.line_num) for row in reader if any(row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    if not read:
        raise DataError(f"{path} is empty; its first line must name the columns")
    (columns, _), *body = read
    _check_columns(path, columns)
    if not body:
        raise DataError(f"{path} names columns but has no rows")
    for row, line in body:
        if len(row) != len(columns):
            raise DataError(
                f"{path}, line {line} has {len(row)} cells, but there are {len(columns)} columns"
            )
    return Table(path, columns, tuple(row for row, _ in body), tuple(line for _, line in body))


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    numbers = [name for name in columns if _is_number(name)]
    if "" in columns or len(numbers) == len(columns):
        raise DataError(
            f"the first line of {path} must name the columns, got {_listed(columns)}; add names"
        )
    if repeated := [name for i, name in enumerate(columns) if name in columns[:i]]:
        raise DataError(f"{path} names the column {repeated[0]!r} twice")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 8 else shown
