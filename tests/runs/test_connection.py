"""A closed store is one plain file, which can be read where nothing may be written."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from autodl.errors import StoreError
from autodl.runs.connection import close, open_to_read, open_to_write
from autodl.runs.store import TrialStore


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, count):
    db = open_to_write(path)
    db.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER)")
    db.executemany("INSERT INTO rows VALUES (?)", [(i,) for i in range(count)])
    return db


def count_of(db):
    return db.execute("SELECT count(*) FROM rows").fetchone()[0]


def mode_of(path):
    return path.read_bytes()[18]  # of the file format: 1 is a rollback journal, 2 a log


def test_a_closed_file_has_nothing_beside_it(tmp_path):
    db = write(tmp_path / "x.sqlite", 3)
    assert names(tmp_path) == ["x.sqlite", "x.sqlite-shm", "x.sqlite-wal"]
    close(db, read_only=False)
    assert names(tmp_path) == ["x.sqlite"]
    assert mode_of(tmp_path / "x.sqlite") == 1
    db = write(tmp_path / "x.sqlite", 2)  # and it goes on as before
    assert mode_of(tmp_path / "x.sqlite") == 2
    assert count_of(db) == 5
    close(db, read_only=False)


def test_a_reader_that_is_still_there_is_not_waited_for_and_loses_nothing(tmp_path):
    path = tmp_path / "x.sqlite"
    db = write(path, 3)
    reader = open_to_read(path)
    assert count_of(reader) == 3
    close(db, read_only=False)
    assert count_of(reader) == 3
    close(reader, read_only=True)
    close(write(path, 1), read_only=False)
    assert names(tmp_path) == ["x.sqlite"]
    with closing(open_to_read(path)) as reader:
        assert count_of(reader) == 4


@pytest.mark.parametrize("release", ["this", "an earlier one"])
def test_a_finished_file_is_read_where_nothing_may_be_written(
    tmp_path, release, in_an_unwritable_folder
):
    path = tmp_path / "x.sqlite"
    db = write(path, 3)
    if release == "this":
        close(db, read_only=False)
    else:
        db.close()
        assert mode_of(path) == 2  # as it asks for a log, mode=ro alone fails
    assert names(tmp_path) == ["x.sqlite"]
    assert in_an_unwritable_folder(tmp_path, lambda: count_of(open_to_read(path))) == 3
    assert names(tmp_path) == ["x.sqlite"]


def test_what_a_killed_writer_left_is_not_read_by_halves(tmp_path, in_an_unwritable_folder):
    """Its last rows are in the log, which cannot be read without writing beside it."""
    path, copy = tmp_path / "x.sqlite", tmp_path / "killed"
    copy.mkdir()
    db = write(path, 3)
    for end in ("", "-wal"):
        (copy / f"x.sqlite{end}").write_bytes(path.with_name(f"x.sqlite{end}").read_bytes())
    db.close()

    def read():
        try:
            return count_of(open_to_read(copy / "x.sqlite"))
        except sqlite3.OperationalError:
            return 42

    assert in_an_unwritable_folder(copy, read) in (3, 42)


def test_a_store_says_so_in_one_line(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"no database, but long enough to be one" * 100)
    with pytest.raises(StoreError, match="cannot open"):
        TrialStore(tmp_path / "x.sqlite", read_only=True)
