"""One long series: columns of a table or an archive, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.series.recording import read_recording
from autodl.errors import DataError

VALUES = np.arange(6.0).reshape(3, 2)


def archive(tmp_path, **arrays):
    path = tmp_path / "recording.npz"
    np.savez(path, **arrays)
    return path


def test_an_archive_and_a_table_hold_the_same(tmp_path):
    table = tmp_path / "recording.csv"
    table.write_text("date,level,wind\nmon,0,1\ntue,2,3\nwed,4,5\n")
    listed = read_recording(table, ["level", "wind"])
    stored = read_recording(
        archive(tmp_path, values=VALUES, columns=np.array(["level", "wind"])), None
    )
    assert stored.columns == listed.columns == ("level", "wind")
    np.testing.assert_array_equal(stored.values, listed.values)
    assert stored.checksum == listed.checksum
    with pytest.raises(DataError, match="line 2: the column 'date' holds 'mon', which is no num"):
        read_recording(table)


def test_columns_are_taken_in_the_order_that_is_asked_for(tmp_path):
    path = archive(tmp_path, values=VALUES)
    assert read_recording(path).columns == ("0", "1")
    np.testing.assert_array_equal(read_recording(path, ["1", "0"]).values, VALUES[:, ::-1])
    assert read_recording(archive(tmp_path, values=VALUES[:, 0])).values.shape == (3, 1)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"value": VALUES}, "no array 'values'; it has value"),
        ({"values": VALUES[None]}, r"must be \[steps\] or \[steps, columns\], got \[1, 3, 2\]"),
        ({"values": np.array([])}, r"got \[0\]"),
        ({"values": np.array([1.0, np.inf])}, r"holds inf at \[1\]"),
        ({"values": VALUES, "columns": np.array(["a"])}, "must be 2 different names"),
        ({"values": VALUES, "columns": np.array(["a", "a"])}, "must be 2 different names"),
        ({"values": VALUES, "columns": np.array(["lvl", "wind"])}, "Did you mean 'lvl'"),
    ],
)
def test_archives_that_are_no_recordings_are_refused(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message) as caught:
        read_recording(archive(tmp_path, **arrays), ["level"] if "values" in arrays else None)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"from \.npz and \.csv files"):
        read_recording(tmp_path / "recording.xlsx")
