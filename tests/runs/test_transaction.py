"""Transactions: all or nothing, whatever ends the block."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from autodl.errors import StoreError
from autodl.runs.transaction import Transaction


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.sqlite"


@pytest.fixture
def db(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE numbers (value INTEGER UNIQUE)")
        yield db


def values(path):
    with closing(sqlite3.connect(path)) as other:
        return [row[0] for row in other.execute("SELECT value FROM numbers ORDER BY value")]


def add(db, *numbers):
    db.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in numbers])


def test_others_see_all_of_it_at_its_end(db, path):
    with Transaction(db, path):
        add(db, 1, 2)
        assert values(path) == []
    assert values(path) == [1, 2]
    assert not db.in_transaction


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_takes_it_back_and_goes_on(db, path, error):
    with pytest.raises(error), Transaction(db, path):  # noqa: PT012  (its block is the point)
        add(db, 1)
        raise error
    assert values(path) == []
    with Transaction(db, path):
        add(db, 2)
    assert values(path) == [2]


def test_an_error_of_sqlite_takes_it_back_and_becomes_ours(db, path):
    with pytest.raises(StoreError, match="UNIQUE constraint") as caught, Transaction(db, path):
        add(db, 1, 2, 1)
    assert str(caught.value).startswith(f"cannot write {path}: ")
    assert "go on with --resume" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert values(path) == []


def test_a_commit_that_fails_is_taken_back_and_told(path):
    """A constraint that is only looked at when the transaction ends."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("CREATE TABLE numbers (value INTEGER PRIMARY KEY)")
        db.execute(
            "CREATE TABLE uses (value REFERENCES numbers (value) DEFERRABLE INITIALLY DEFERRED)"
        )
        with pytest.raises(StoreError, match="FOREIGN KEY"), Transaction(db, path):
            db.execute("INSERT INTO uses VALUES (7)")
        assert not db.in_transaction
        assert db.execute("SELECT * FROM uses").fetchall() == []


def test_a_database_that_another_process_writes_to(db, path):
    db.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"), Transaction(db, path):
            raise AssertionError("the block is not entered")
