"""What happened in a run, in SQLite: proposals, results, and snapshots of the strategy.

One process writes. Every call is one transaction, so a run that is killed at any instant
finds again every proposal and every result that was reported, and nothing by halves. After a
loss of power it finds what was reported up to a moment before: the disk is waited for at most
once a second, since that takes milliseconds.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodl.errors import EncodingError, StoreError
from autodl.spaces.codec import Architecture, decode_architecture, encode_text
from autodl.state import decode_state, encode_state
from autodl.trial import Evaluation, Trial, TrialState

_VERSION = 1
_CHUNK = 1000  # rows in memory at a time
_SYNC_EVERY_SECONDS = 1.0
_SCHEMA = """
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
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that was asked for; ``tells_seen`` is how much the strategy had learnt."""

    id: int
    architecture: Architecture
    tells_seen: int


class TrialStore:
    """The trials of one run in ``path``; made if missing.

    Raises:
        StoreError: the file cannot be made, is damaged, is no store, or is of another version.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._synced = -math.inf
        if read_only and not path.is_file():
            raise StoreError(f"no trials in {path}; give a run folder made by the search")
        try:
            address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._db = sqlite3.connect(address, uri=True, isolation_level=None)
            if not read_only:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
            self._prepare(read_only)
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot open {path}: {error}. If the disk is full, free some space; if the file"
                f" is damaged, `sqlite3 {path.name} .recover` saves what is left"
            ) from None

    def _prepare(self, read_only: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and not read_only:
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise StoreError(
                f"{self._path} has store version {version}, this release reads {_VERSION}"
            )

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    def propose(self, proposals: Sequence[Proposal]) -> None:
        """Record proposals, all or none."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO trials (id, state, architecture, tells_seen) VALUES (?, ?, ?, ?)",
                [
                    (p.id, TrialState.PROPOSED.value, encode_text(p.architecture), p.tells_seen)
                    for p in proposals
                ],
            )

    def start(self, trial_id: int) -> None:
        """Record that a proposal is being evaluated."""
        with self._transaction():
            self._db.execute(
                "UPDATE trials SET state = ? WHERE id = ? AND finish_order IS NULL",
                (TrialState.RUNNING.value, trial_id),
            )

    def reset_running(self) -> None:
        """Record that nothing is being evaluated any more; what was is a proposal as before."""
        with self._transaction():
            self._db.execute(
                "UPDATE trials SET state = ? WHERE state = ?",
                (TrialState.PROPOSED.value, TrialState.RUNNING.value),
            )

    def finish(self, trial: Trial) -> None:
        """Record the result of a proposal.

        Raises:
            StoreError: the trial was never proposed or is finished already.
        """
        evaluation = trial.evaluation
        packed = None
        if evaluation is not None:
            packed = json.dumps({"metrics": dict(evaluation.metrics), "curve": evaluation.curve})
        self._sync_if_due()
        with self._transaction():
            changed = self._db.execute(
                "UPDATE trials SET state = ?, reward = ?, evaluation = ?, reason = ?,"
                " traceback = ?, seconds = ?, finish_order ="
                " (SELECT coalesce(max(finish_order) + 1, 0) FROM trials)"
                " WHERE id = ? AND finish_order IS NULL",
                (
                    trial.state.value,
                    trial.reward,
                    packed,
                    trial.reason,
                    trial.traceback,
                    trial.seconds,
                    trial.id,
                ),
            ).rowcount
        if not changed:
            raise StoreError(f"trial {trial.id} was not proposed, or is finished already")

    def snapshot(self, tells: int, state: Mapping[str, Any]) -> None:
        """Keep the strategy's state after ``tells`` tells, in place of all earlier ones."""
        with self._transaction():
            self._db.execute("DELETE FROM snapshots")
            self._db.execute("INSERT INTO snapshots VALUES (?, ?)", (tells, encode_state(state)))

    def latest_snapshot(self) -> tuple[int, dict[str, Any]] | None:
        """The state kept last and the number of tells it has seen, if there is one."""
        rows = self._read("SELECT tells, state FROM snapshots ORDER BY tells DESC LIMIT 1")
        if not rows:
            return None
        tells, packed = rows[0]
        try:
            return int(tells), decode_state(packed)
        except (StoreError, TypeError) as error:
            raise StoreError(
                f"{self._path}: the snapshot of the strategy after {tells} trials: {error}."
                f" `sqlite3 {self._path.name} 'DELETE FROM snapshots'` removes it; the strategy"
                " then learns again from all trials"
            ) from None

    def unfinished(self) -> list[Proposal]:
        """Proposals without a result, in the order of their ids."""
        rows = self._read(
            f"SELECT {_COLUMNS}, tells_seen FROM trials WHERE finish_order IS NULL ORDER BY id"
        )
        return [Proposal(row[0], self._trial(row[:-1]).architecture, row[-1]) for row in rows]

    def finished(self, *, by_id: bool = False, start: int = 0) -> Iterator[Trial]:
        """Finished trials in the order in which they finished, or by id, from the ``start``-th."""
        if by_id:
            query = "finish_order IS NOT NULL ORDER BY id LIMIT -1 OFFSET ?"
        else:
            query = "finish_order >= ? ORDER BY finish_order"
        for row in self._rows(f"SELECT {_COLUMNS} FROM trials WHERE {query}", (start,)):
            yield self._trial(row)

    def trials(self, *, curves: bool = True) -> Iterator[Trial]:
        """All trials by id, finished or not; without ``curves`` theirs are empty."""
        for row in self._rows(f"SELECT {_COLUMNS} FROM trials ORDER BY id"):
            yield self._trial(row, curves)

    def count(self) -> int:
        """Number of proposals so far, finished or not."""
        return int(self._read("SELECT coalesce(max(id) + 1, 0) FROM trials")[0][0])

    def count_finished(self) -> int:
        """Number of finished trials."""
        query = "SELECT coalesce(max(finish_order) + 1, 0) FROM trials"
        return int(self._read(query)[0][0])

    def best(self, count: int = 1) -> list[Trial]:
        """Complete trials of the highest rewards, best first; of equal ones the earlier."""
        rows = self._read(
            f"SELECT {_COLUMNS} FROM trials WHERE state = ? ORDER BY reward DESC, id LIMIT ?",
            (TrialState.COMPLETE.value, count),
        )
        return [self._trial(row) for row in rows]

    def _trial(self, row: tuple[Any, ...], curves: bool = True) -> Trial:
        try:
            return _trial(row, curves)
        except EncodingError as error:  # sound, but written with a plugin or a newer release
            raise EncodingError(f"{self._path}: trial {row[0]}: {error}") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(f"trial {row[0]}: {error}") from None

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Rows as they are needed."""
        try:
            cursor = self._db.execute(query, values)
            while rows := cursor.fetchmany(_CHUNK):
                yield from rows
        except sqlite3.Error as error:
            raise self._damaged(error) from None

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return list(self._rows(query, values))

    def _damaged(self, error: object) -> StoreError:
        return StoreError(
            f"cannot read {self._path}: {error}; `sqlite3 {self._path.name} .recover` saves"
            " what is left"
        )

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db, self._path)

    def _sync_if_due(self) -> None:
        """Let the next commits wait until all is on the disk, if none did so for a second."""
        now = time.monotonic()
        due = now - self._synced >= _SYNC_EVERY_SECONDS
        self._synced = now if due else self._synced
        self._db.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")


class _Transaction:
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


_COLUMNS = "id, state, architecture, reward, evaluation, reason, traceback, seconds"


def _trial(row: tuple[Any, ...], curves: bool) -> Trial:
    trial_id, state, architecture, reward, packed, reason, traceback, seconds = row
    evaluation = None
    if packed is not None:
        value = json.loads(packed)
        evaluation = Evaluation(reward, value["metrics"], tuple(value["curve"]) if curves else ())
    return Trial(
        id=trial_id,
        architecture=decode_architecture(json.loads(architecture)),
        state=TrialState(state),
        evaluation=evaluation,
        reason=reason,
        traceback=traceback,
        seconds=seconds,
    )
