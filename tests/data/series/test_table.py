"""CSV files: what is read, and one line on everything else."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.series.table import read_table
from autodl.errors import DataError


def written(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", " , "])
def test_cells_are_read_whatever_separates_them(tmp_path, separator):
    text = "\ufeff" + "\r\n".join(separator.join(row) for row in ("ab", "12", "34", ""))
    table = read_table(written(tmp_path, text))
    assert (table.columns, table.lines) == (("a", "b"), (2, 3))
    np.testing.assert_array_equal(table.numbers(["b", "a"]), [[2, 1], [4, 3]])
    assert table.texts("a") == ("1", "3")


def test_names_may_be_numbers_if_not_all_are(tmp_path):
    assert read_table(written(tmp_path, "label,0,1\nx,2,3\n")).columns == ("label", "0", "1")


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty; its first line must name the columns"),
        ("a,b\n", "names columns but has no rows"),
        ("1,2\n3,4\n", "must name the columns, got 1, 2; add names"),
        ("a,,c\n1,2,3\n", "must name the columns"),
        ("a,b,a\n1,2,3\n", "names the column 'a' twice"),
        ("a,b\n1,2\n3\n", "line 3 has 1 cells, but there are 2 columns"),
        (b"a,b\n\xff,2\n", "cannot read .*must be a CSV file in UTF-8"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "cell, message",
    [
        ("", "line 3: the column 'b' is empty; fill the gap"),
        ("high", "line 3: the column 'b' holds 'high', which is no number"),
        ("nan", "line 3: the column 'b' holds 'nan'; fill the gap"),
        ("-inf", "holds '-inf'"),
    ],
)
def test_cells_that_are_no_numbers_are_named_by_line_and_column(tmp_path, cell, message):
    table = read_table(written(tmp_path, f"a,b\n1,2\n3,{cell}\n"))
    with pytest.raises(DataError, match=message):
        table.numbers(["a", "b"])


def test_a_column_that_is_not_there_is_likened_to_those_that_are(tmp_path):
    table = read_table(written(tmp_path, "time,level\n1,2\n"))
    with pytest.raises(DataError, match=r"no column 'levle'. Did you mean 'level'\? It has time"):
        table.numbers(["levle"])
    with pytest.raises(DataError, match="line 2: the column 'time' is empty"):
        read_table(written(tmp_path, "time,level\n,2\n")).texts("time")
