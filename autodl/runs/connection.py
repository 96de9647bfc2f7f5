"""Opening and closing the SQLite file of a store: with a log beside it while it is written."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path


def open_to_write(path: Path) -> sqlite3.Connection:
    """Make or open a file; what is written goes to a log first, so that readers need not wait."""
    db = _connect(path, "mode=rwc")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there, also where nothing may be written if nobody writes."""
    db = _connect(path, "mode=ro")
    try:
        db.execute("PRAGMA schema_version")  # the first to need the file
    except sqlite3.OperationalError:
        db.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # earlier releases left it so that it asks for a log, which cannot be made here
        db = _connect(path, "mode=ro&immutable=1")
    return db


def close(db: sqlite3.Connection, *, read_only: bool) -> None:
    """Close a connection; of a writer, unless somebody else reads, one plain file stays."""
    if not read_only:
        with suppress(sqlite3.Error):  # who still reads needs the log
            db.execute("PRAGMA busy_timeout=0")
            db.execute("PRAGMA journal_mode=DELETE")
    db.close()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
