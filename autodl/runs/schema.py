"""The tables of a store, as a sequence of versions: each says what it adds to the one before."""

from __future__ import annotations

_VERSIONS = (
    """
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    architecture TEXT NOT NULL,
    tells_seen INTEGER NOT NULL,
    finish_order INTEGER UNIQUE,
    reward REAL,
    evaluation TEXT,
    reason TEXT NOT NULL DEFAULT '',
    traceback TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0
);
CREATE INDEX trials_by_state ON trials (state);
CREATE TABLE snapshots (tells INTEGER PRIMARY KEY, state BLOB NOT NULL);
""",
    """
ALTER TABLE trials ADD COLUMN key TEXT;
CREATE INDEX trials_by_key ON trials (key);
CREATE TABLE reports (
    number INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL,
    epochs INTEGER NOT NULL,
    objectives TEXT NOT NULL
);
CREATE INDEX reports_by_trial ON reports (trial);
""",
    "ALTER TABLE trials ADD COLUMN parent INTEGER;",
)
VERSION = len(_VERSIONS)


def statements(version: int) -> list[str]:
    """What brings a store of this version to the present one; 0 is an empty file."""
    return [text for part in _VERSIONS[version:] for text in part.split(";") if text.strip()]
