"""A transaction of SQLite as a context."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from autodl.errors import StoreError


class Transaction:
    """BEGIN on entry, COMMIT on a clean exit, else ROLLBACK; SQLite's errors become ours."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
                return
        except sqlite3.Error as failure:
            error, kind = failure, type(failure)
        if self._db.in_transaction:
            with suppress(sqlite3.Error):  # what was wrong with the transaction is said below
                self._db.execute("ROLLBACK")
        if kind is not None and issubclass(kind, sqlite3.Error):
            raise self._failure(error) from None

    def _failure(self, error: object) -> StoreError:
        return StoreError(
            f"cannot write {self._path}: {error}. Nothing finished is lost: free some space"
            " and go on with --resume"
        )
