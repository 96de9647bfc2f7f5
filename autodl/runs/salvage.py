"""What can still be read of a damaged store, in a store that is whole again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autodl.errors import EncodingError, StoreError
from autodl.runs.folder import TRIALS, import_run_plugins, read_manifest, update_manifest
from autodl.runs.lock import locked
from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.codec import decode_text
from autodl.system.files import replacing
from autodl.system.state import decode_state
from autodl.trial import Evaluation, Trial, TrialState

_ROW_BYTES = 16  # the row of a report, the smallest, is larger, so this bounds the ids in a file
_WRONG = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # in what a row holds


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that can be read; ``trial`` is None where only the proposal can be."""

    proposal: Proposal
    trial: Trial | None
    finish_order: int | None


def salvage_run(run: Path) -> tuple[int, int, Path]:
    """Put a salvaged store in the place of a run's damaged one, which is kept beside it.

    Returns:
        As ``salvage``, and where the damaged file is.

    Raises:
        StoreError: no run, one that is being written to, one that was salvaged already, or a file
            of which nothing can be read.
    """
    read_manifest(run)  # that of a run, or an error
    import_run_plugins(run)
    trials, aside, damaged = (run / f"{TRIALS}{end}" for end in ("", ".salvaged", ".damaged"))
    try:
        with locked(run):
            if damaged.exists():
                raise StoreError(f"{damaged} is there already; move it away first")
            kept, lost = salvage(trials, aside)
            with closing(TrialStore(aside)) as store:
                finished = store.count_finished()
            update_manifest(run, finished_trials=finished)  # else the others would be missed
            for end in ("-wal", "-shm", ""):  # a log that stayed would be taken for the new file's
                if (part := trials.with_name(trials.name + end)).exists():
                    part.rename(damaged.with_name(damaged.name + end))
            aside.rename(trials)
    except OSError as error:
        raise StoreError(f"cannot write to {run}: {error.strerror}") from None
    return kept, lost, damaged


def salvage(damaged: Path, into: Path) -> tuple[int, int]:
    """Write what can be read of the store ``damaged`` to the store ``into``, whole or not at all.

    Trials keep their ids, which checkpoints and logs name, and the order in which they finished.
    A trial of which only the architecture can be read is PROPOSED again. One of which nothing can
    be read is PROPOSED again with the architecture of the nearest trial before it (after it, at
    the start): the search needs ids without a gap, and so the strategy is told nothing that is
    not true. Where results are reused this costs nothing. Trials above the highest that can be
    read are unknown; the search asks for others in their place. The snapshot is kept only if all
    trials that it has seen are; without it the strategy learns from all trials again.

    Plugins that define operations or kinds of architectures must be imported already.

    Returns:
        How many trials are kept as they were, and how many up to the highest readable are not.

    Raises:
        StoreError: nothing can be read of it, or ``into`` cannot be written.
    """
    with closing(_open(damaged)) as old:
        most = _most_ids(damaged)
        rows = {i: row for i in range(most) if (row := _row(old, i)) is not None}
        if not rows:
            raise StoreError(f"no trial can be read in {damaged}, so nothing of it can be saved")
        kept = sum(row.trial is not None for row in rows.values())
        lost = max(rows) + 1 - kept
        with replacing(into) as aside, closing(TrialStore(aside)) as new:
            new.propose(_without_gaps(rows))
            _copy_reports(old, rows, new, most)
            orders = _finish(rows, new)
            tells, state = _snapshot(old)
            if (
                state is not None
                and not lost
                and tells <= len(orders)
                and orders == list(range(len(orders)))
            ):
                new.snapshot(tells, state)
    return kept, lost


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreError(f"no trials in {path}; give a run folder made by the search")
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        db.execute("PRAGMA writable_schema=ON")  # else SQLite refuses a file that was cut short
        db.execute("SELECT id FROM trials LIMIT 0")
    except sqlite3.Error as error:
        db.close()
        raise StoreError(
            f"cannot read {path}: {error}; nothing can be saved of a file without its beginning"
        ) from None
    return db


def _most_ids(path: Path) -> int:
    files = [path, path.with_name(f"{path.name}-wal")]
    return sum(file.stat().st_size for file in files if file.exists()) // _ROW_BYTES


def _row(db: sqlite3.Connection, trial_id: int) -> _Row | None:
    """The row of this id; None if there is none or its architecture cannot be read."""
    values = _values(db, trial_id, "architecture, tells_seen")
    if values is None or not isinstance(values[1], int):
        return None
    try:
        architecture = decode_text(values[0])
    except (EncodingError, *_WRONG):
        return None
    key = (_values(db, trial_id, "key") or [None])[0]  # version 1 has none
    key = key if isinstance(key, str) else ""
    parent = (_values(db, trial_id, "parent") or [None])[0]  # version 2 neither
    parent = parent if isinstance(parent, int) else None
    proposal = Proposal(trial_id, architecture, values[1], key, parent)
    columns = "state, finish_order, reward, evaluation, reason, traceback, seconds"
    values = _values(db, trial_id, columns)
    if values is None:
        return _Row(proposal, None, None)
    state, order, reward, packed, reason, traceback, seconds = values
    try:
        evaluation = _evaluation(reward, packed)
        trial = Trial(
            *(trial_id, architecture, TrialState(state), evaluation),
            *(reason + "", traceback + "", seconds + 0.0),  # a TypeError if they are no such thing
        )
    except _WRONG:
        return _Row(proposal, None, None)
    needs_result = trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.PAUSED)
    if trial.state.finished != isinstance(order, int) or (needs_result and evaluation is None):
        return _Row(proposal, None, None)
    return _Row(proposal, trial, order)


def _values(db: sqlite3.Connection, trial_id: int, columns: str) -> Any:
    try:
        return db.execute(f"SELECT {columns} FROM trials WHERE id = ?", (trial_id,)).fetchone()
    except sqlite3.Error:
        return None


def _evaluation(reward: Any, packed: Any) -> Evaluation | None:
    if packed is None:
        return None
    value = json.loads(packed)
    curve = tuple(dict(point) for point in value["curve"])
    return Evaluation(reward + 0.0, dict(value["metrics"]), curve, value.get("fidelity", 1.0))


def _without_gaps(rows: Mapping[int, _Row]) -> list[Proposal]:
    nearest = rows[min(rows)].proposal
    proposals = []
    for trial_id in range(max(rows) + 1):
        nearest = rows[trial_id].proposal if trial_id in rows else nearest
        proposals.append(replace(nearest, id=trial_id))
    return proposals


def _copy_reports(
    db: sqlite3.Connection, rows: Mapping[int, _Row], new: TrialStore, most: int
) -> None:
    """The reports of trials whose result is kept; this pauses those that are not finished."""
    for number in range(1, most + 1):
        with suppress(sqlite3.Error, *_WRONG):
            query = "SELECT trial, epochs, objectives FROM reports WHERE number = ?"
            trial_id, epochs, text = db.execute(query, (number,)).fetchone()
            objectives = [float(value) for value in json.loads(text)]
            trial = rows[trial_id].trial
            if trial is not None and trial.evaluation is not None and isinstance(epochs, int):
                new.report(trial, epochs, objectives)


def _finish(rows: Mapping[int, _Row], new: TrialStore) -> list[int]:
    """Finish what was finished, in its order; the places that it had."""
    orders = []
    known = [row for row in rows.values() if row.finish_order is not None]
    for row in sorted(known, key=lambda row: row.finish_order or 0):
        if row.trial is not None and row.finish_order is not None:
            new.finish(row.trial)
            orders.append(row.finish_order)
    return orders


def _snapshot(db: sqlite3.Connection) -> tuple[int, dict[str, Any] | None]:
    with suppress(sqlite3.Error, StoreError, TypeError):
        query = "SELECT tells, state FROM snapshots ORDER BY tells DESC LIMIT 1"
        tells, packed = db.execute(query).fetchone()
        return int(tells), decode_state(packed)
    return 0, None
