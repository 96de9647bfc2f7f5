"""Sets of series: three layouts that mean the same, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.series.labelled import LabelledSeries, read_labelled
from autodl.errors import DataError

VALUES = np.arange(12, dtype=np.float32).reshape(2, 2, 3)  # [N, channels, length]
LONG = "id,kind,left,right\nx,up,0,3\ny,down,6,9\nx,up,1,4\nx,up,2,5\ny,down,7,10\ny,down,8,11\n"


def archive(tmp_path, **arrays):
    path = tmp_path / "series.npz"
    np.savez(path, **arrays)
    return path


def table(tmp_path, text):
    path = tmp_path / "series.csv"
    path.write_text(text)
    return path


def test_an_archive_and_a_table_of_steps_hold_the_same(tmp_path):
    stored = read_labelled(archive(tmp_path, series=VALUES, labels=np.array(["up", "down"])))
    listed = read_labelled(table(tmp_path, LONG), label="kind", series="id")
    for found in (stored, listed):
        np.testing.assert_array_equal(found.values, VALUES)
        assert (found.values.dtype, found.labels) == (np.float32, ("up", "down"))
    assert stored.checksum == listed.checksum


def test_channels_are_taken_by_name(tmp_path):
    found = read_labelled(table(tmp_path, LONG), label="kind", series="id")
    assert found.channels == found.take(np.array([1])).channels == ("left", "right")
    turned = "right,note,id,kind,left\n" + "".join(
        f"{right},7,{name},{kind},{left}\n"
        for name, kind, left, right in (line.split(",") for line in LONG.split()[1:])
    )
    again = read_labelled(
        table(tmp_path, turned), label="kind", series="id", channels=found.channels
    )
    np.testing.assert_array_equal(again.values, found.values)
    path = table(tmp_path, LONG.replace("right", "rigth"))
    with pytest.raises(DataError, match=r"no column 'right'\. Did you mean 'rigth'"):
        read_labelled(path, label="kind", series="id", channels=found.channels)


def test_a_series_in_each_row_has_one_channel(tmp_path):
    rows = read_labelled(table(tmp_path, "t0,label,t1\n1,4,2\n3,5,4\n"))
    flat = read_labelled(
        archive(tmp_path, series=np.array([[1, 2], [3, 4]]), labels=np.array([4, 5]))
    )
    assert rows.values.tolist() == flat.values.tolist() == [[[1, 2]], [[3, 4]]]
    assert rows.labels == flat.labels == ("4", "5")


def test_classes_need_not_be_known(tmp_path):
    path = archive(tmp_path, series=VALUES)
    assert read_labelled(path, label=None).labels == ()
    assert read_labelled(table(tmp_path, "a,b\n1,2\n"), label=None).values.shape == (1, 1, 2)


def test_the_checksum_is_of_values_shape_and_labels():
    found = LabelledSeries(VALUES, ("a", "b"))
    others = [
        LabelledSeries(VALUES + 1, ("a", "b")),
        LabelledSeries(VALUES.reshape(2, 3, 2), ("a", "b")),
        LabelledSeries(VALUES, ("a", "c")),
    ]
    assert len({found.checksum, *(other.checksum for other in others)}) == 4
    assert found.take(np.array([1])).labels == ("b",)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"labels": np.array([0])}, "has no array 'series'; it has labels"),
        ({"series": VALUES}, "has no array 'labels'; it has series"),
        ({"series": VALUES[0, 0], "labels": np.arange(3)}, r"must be \[N, length\]"),
        ({"series": VALUES, "labels": np.arange(3)}, "a text for each of 2 series, got int64"),
        ({"series": VALUES, "labels": np.array([0.5, 1])}, "a text for each of 2 series"),
        ({"series": np.array([["a"]]), "labels": np.array([0])}, "must hold numbers, got <U1"),
        ({"series": np.array([[1, np.nan]]), "labels": np.array([0])}, r"holds nan at \[0, 1\]"),
        ({"series": np.array([[1.0]]), "labels": np.array([0])}, "at least 2 steps, got 1"),
        ({"series": np.array([[1e300, 1]]), "labels": np.array([0])}, "too large for float32"),
        (
            {"series": np.array([[1], [1, 2]], dtype=object), "labels": np.arange(2)},
            "differing lengths",
        ),
    ],
)
def test_archives_that_are_no_series_are_refused(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message) as caught:
        read_labelled(archive(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        (LONG + "x,up,9,9\n", "series 'y' has 3 steps, 'x' has 4; cut or pad"),
        (LONG.replace("x,up,1", "x,down,1"), "series 'x' has the labels 'down' and 'up'"),
        (LONG.replace("id", "name"), "no column 'id'"),
        (LONG.replace("kind", "class"), "no column 'kind'"),
        (LONG.replace("y,down,6", "y,down,six"), "line 3: the column 'left' holds 'six'"),
        ("id,kind\nx,up\n", "no column of values beside 'id' and 'kind'"),
    ],
)
def test_tables_of_steps_that_are_no_series_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_labelled(table(tmp_path, text), label="kind", series="id")
    assert "\n" not in str(caught.value)


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"from .npz and .csv files, got 'series.parquet'"):
        read_labelled(tmp_path / "series.parquet")
    damaged = tmp_path / "series.npz"
    damaged.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match="cannot read"):
        read_labelled(damaged)
    np.save(tmp_path / "one.npy", VALUES)
    (tmp_path / "one.npy").rename(damaged)
    with pytest.raises(DataError, match="is a single array"):
        read_labelled(damaged)
