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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodl.errors import EncodingError, StoreError
from autodl.runs.connection import close, open_to_read, open_to_write
from autodl.runs.schema import VERSION, statements
from autodl.runs.transaction import Transaction
from autodl.spaces.codec import Architecture, decode_architecture, encode_text
from autodl.system.state import decode_state, encode_state
from autodl.trial import Evaluation, Trial, TrialState

_CHUNK = 1000  # rows in memory at a time
_SYNC_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that was asked for; ``tells_seen`` is how much the strategy had learnt.

    Proposals of one ``key`` have the same result; an empty key is like no other. ``parent`` is the
    trial that the strategy varied, None if there is none.
    """

    id: int
    architecture: Architecture
    tells_seen: int
    key: str = ""
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial had reached after so many epochs; objectives, higher is better."""

    trial_id: int
    epochs: int
    objectives: tuple[float, ...]


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
        self._read_only = read_only
        try:
            self._db = open_to_read(path) if read_only else open_to_write(path)
            self._prepare(read_only)
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot open {path}: {error}. If the disk is full, free some space; if the file"
                f" is damaged, `autodl report --salvage {path.parent}` saves what is left"
            ) from None

    def _prepare(self, read_only: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and read_only:
            raise StoreError(f"{self._path} is empty: no trial was ever written to this file")
        if not 1 <= version <= VERSION and not empty:
            raise StoreError(
                f"{self._path} has store version {version}, this release reads 1 to {VERSION}"
            )
        if read_only or version == VERSION:  # reading needs nothing that is new
            return
        with self._transaction():
            for statement in statements(version):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards.

        Unless somebody else has it open, it is one plain file then, without a log beside it, that
        can be copied, and read where nothing may be written.
        """
        close(self._db, read_only=self._read_only)

    def propose(self, proposals: Iterable[Proposal]) -> None:
        """Record proposals, all or none."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO trials (id, state, architecture, tells_seen, key, parent)"
                f" VALUES (?, '{TrialState.PROPOSED.value}', ?, ?, ?, ?)",
                (
                    (p.id, encode_text(p.architecture), p.tells_seen, p.key or None, p.parent)
                    for p in proposals
                ),
            )

    def start(self, trial_id: int) -> None:
        """Record that a proposal is being evaluated."""
        with self._transaction():
            self._db.execute(
                "UPDATE trials SET state = ? WHERE id = ? AND finish_order IS NULL",
                (TrialState.RUNNING.value, trial_id),
            )

    def reset_running(self) -> None:
        """Record that what was being evaluated is a proposal as before.

        Trials that a stage was reported of stay as they are: they go on with the next.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE trials SET state = ? WHERE state = ?"
                " AND NOT EXISTS (SELECT 1 FROM reports WHERE trial = trials.id)",
                (TrialState.PROPOSED.value, TrialState.RUNNING.value),
            )

    def report(self, trial: Trial, epochs: int, objectives: Sequence[float]) -> None:
        """Record what a trial has reached after a stage, and that it is paused.

        Raises:
            StoreError: the trial was never proposed or is finished already.
        """
        with self._transaction():
            self._write_result(trial, TrialState.PAUSED)
            self._db.execute(
                "INSERT INTO reports (trial, epochs, objectives) VALUES (?, ?, ?)",
                (trial.id, epochs, json.dumps(list(objectives))),
            )

    def pause(self, trial: Trial) -> None:
        """Record that a later stage was broken off, and why: PAUSED with what it had reached."""
        with self._transaction():
            self._db.execute(
                "UPDATE trials SET state = ?, reason = ?, seconds = ?"
                " WHERE id = ? AND finish_order IS NULL",
                (TrialState.PAUSED.value, trial.reason, trial.seconds, trial.id),
            )

    def reports(self) -> Iterator[Report]:
        """All reports in the order in which they came."""
        for row in self._rows("SELECT trial, epochs, objectives FROM reports ORDER BY number"):
            try:
                yield Report(row[0], row[1], tuple(map(float, json.loads(row[2]))))
            except (ValueError, TypeError) as error:
                raise self._damaged(f"a report of trial {row[0]}: {error}") from None

    def finish(self, trial: Trial) -> None:
        """Record the result of a proposal.

        Raises:
            StoreError: the trial was never proposed or is finished already.
        """
        self._sync_if_due()
        with self._transaction():
            self._write_result(trial, trial.state)
            self._db.execute(
                "UPDATE trials SET finish_order ="
                " (SELECT coalesce(max(finish_order) + 1, 0) FROM trials) WHERE id = ?",
                (trial.id,),
            )

    def _write_result(self, trial: Trial, state: TrialState) -> None:
        evaluation = trial.evaluation
        packed = None
        if evaluation is not None:
            packed = json.dumps(
                {
                    "metrics": dict(evaluation.metrics),
                    "curve": evaluation.curve,
                    "fidelity": evaluation.fidelity,
                }
            )
        changed = self._db.execute(
            "UPDATE trials SET state = ?, reward = ?, evaluation = ?, reason = ?,"
            " traceback = ?, seconds = ? WHERE id = ? AND finish_order IS NULL",
            (
                state.value,
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

    def proposed(self, start: int = 0, count: int = -1) -> list[Proposal]:
        """Proposals that are not begun, by id, from ``start`` on and at most ``count`` of them."""
        rows = self._read(  # the plus: by id, so that a part is found without sorting all
            f"SELECT {_COLUMNS}, tells_seen, key, parent FROM trials WHERE id >= ? AND +state = ?"
            " ORDER BY id LIMIT ?",
            (start, TrialState.PROPOSED.value, count),
        )
        return [
            Proposal(row[0], self._trial(row[:-3]).architecture, row[-3], row[-2] or "", row[-1])
            for row in rows
        ]

    def unfinished(self) -> dict[int, int | None]:
        """The parent of every trial that is not finished, None where there is none, by id."""
        return dict(self._rows("SELECT id, parent FROM trials WHERE finish_order IS NULL"))

    def parents(self) -> dict[int, int]:
        """The parents of all trials that have one, by the trials' ids."""
        if self._read("PRAGMA user_version")[0][0] < 3:
            return {}
        return dict(self._rows("SELECT id, parent FROM trials WHERE parent IS NOT NULL"))

    def key(self, trial_id: int) -> str:
        """The key that a trial was proposed with; empty without one."""
        rows = self._read("SELECT key FROM trials WHERE id = ?", (trial_id,))
        return (rows[0][0] or "") if rows else ""

    def paused(self) -> list[Trial]:
        """Paused trials by id."""
        return self._in_state(TrialState.PAUSED)

    def running(self) -> list[Trial]:
        """Running trials by id."""
        return self._in_state(TrialState.RUNNING)

    def _in_state(self, state: TrialState) -> list[Trial]:
        query = f"SELECT {_COLUMNS} FROM trials WHERE state = ? ORDER BY id"
        return [self._trial(row) for row in self._rows(query, (state.value,))]

    def trial(self, trial_id: int) -> Trial:
        """The trial of this id.

        Raises:
            StoreError: there is none.
        """
        rows = self._read(f"SELECT {_COLUMNS} FROM trials WHERE id = ?", (trial_id,))
        if not rows:
            raise StoreError(f"{self._path} has no trial {trial_id}")
        return self._trial(rows[0])

    def first_of_key(self, key: str, before: int) -> Trial | None:
        """The lowest trial of this key that has not failed, below ``before``; None without one."""
        return self._first("key = ? AND id < ? AND state != ?", key, before, TrialState.FAILED)

    def first_complete(self, key: str) -> Trial | None:
        """The lowest complete trial of this key; None without one."""
        return self._first("key = ? AND state = ?", key, TrialState.COMPLETE)

    def _first(self, condition: str, *values: Any) -> Trial | None:
        query = f"SELECT {_COLUMNS} FROM trials WHERE {condition} ORDER BY id LIMIT 1"
        rows = self._read(query, values)
        return self._trial(rows[0]) if rows else None

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

    def has_keys(self, prefix: str) -> bool:
        """Whether a complete trial has a key that begins like this."""
        if self._read("PRAGMA user_version")[0][0] == 1:
            return False
        # the plus: by key, of which a prefix has few, not by state, of which there are many
        query = "SELECT 1 FROM trials WHERE +state = ? AND key GLOB ? LIMIT 1"
        return bool(self._read(query, (TrialState.COMPLETE.value, f"{prefix}*")))

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
        what = " ".join(str(error).split())[:200]  # it may quote what is damaged
        return StoreError(
            f"cannot read {self._path}: {what}; `autodl report --salvage {self._path.parent}` saves"
            " what is left"
        )

    def _transaction(self) -> Transaction:
        return Transaction(self._db, self._path)

    def _sync_if_due(self) -> None:
        """Let the next commits wait until all is on the disk, if none did so for a second."""
        now = time.monotonic()
        due = now - self._synced >= _SYNC_EVERY_SECONDS
        self._synced = now if due else self._synced
        self._db.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")


_COLUMNS = "id, state, architecture, reward, evaluation, reason, traceback, seconds"


def _trial(row: tuple[Any, ...], curves: bool) -> Trial:
    trial_id, state, architecture, reward, packed, reason, traceback, seconds = row
    evaluation = None
    if packed is not None:
        value = json.loads(packed)
        evaluation = Evaluation(
            reward,
            value["metrics"],
            tuple(value["curve"]) if curves else (),
            value.get("fidelity", 1.0),  # version 1 has none
        )
    return Trial(
        id=trial_id,
        architecture=decode_architecture(json.loads(architecture)),
        state=TrialState(state),
        evaluation=evaluation,
        reason=reason,
        traceback=traceback,
        seconds=seconds,
    )
