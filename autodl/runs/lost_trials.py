"""Results that a run had and has no more: a copy that broke off, perhaps."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from autodl.errors import StoreError
from autodl.runs.connection import open_to_read
from autodl.runs.folder import BEST, MANIFEST, METRICS, SEALS, TRIALS, read_manifest
from autodl.runs.store import TrialStore


def check_trials(run: Path) -> None:
    """Refuse a search whose store has fewer finished trials than the rest of its folder knows of.

    Gone on with, it would begin again at the first trial that is missing, and overwrite what was
    found. Where no run is, or one that was killed before its first trial, nothing is missing.

    Raises:
        StoreError: trials are missing, or the manifest or the store is damaged.
    """
    if not (run / MANIFEST).exists():
        return
    path, known = run / TRIALS, read_manifest(run).get("finished_trials")
    if isinstance(known, int):
        counted, where = known, MANIFEST
    else:  # it has never come to its end
        counted, where = int((run / BEST).exists()), BEST
    if (found := _count_finished(path)) < counted:
        raise StoreError(
            f"{path} has {found} finished trials, but {where} knows of {counted}: it is not the"
            f" file of this run. Bring it back from a back-up, save what is left of it by"
            f" `autodl report --salvage {run}`, or search anew in another folder"
        )


def check_result(run: Path) -> None:
    """Refuse a run of any kind that has come to a result which is gone; see ``check_trials``.

    A table of several runs would leave it out without a word. A folder that is not there, or is
    empty, has lost nothing.

    Raises:
        StoreError: it is, or the folder has no manifest, or a damaged one.
    """
    if not run.is_dir() or not any(not path.name.startswith(".") for path in run.iterdir()):
        return
    if METRICS in (read_manifest(run).get(SEALS) or ()) and not (run / METRICS).exists():
        raise StoreError(
            f"{run} was finished, and its {METRICS} is gone: bring it back from a back-up, or let"
            " the command that made the run write it again"
        )
    check_trials(run)


def _count_finished(path: Path) -> int:
    """Finished trials in a store; 0 if it is missing, or empty as a kill at its making leaves it.

    Raises:
        StoreError: it is damaged.
    """
    if not path.exists():
        return 0
    try:
        with closing(open_to_read(path)) as db:
            empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error:
        empty = False  # the store itself says best what is wrong with it
    if empty:
        return 0
    with closing(TrialStore(path, read_only=True)) as store:
        return store.count_finished()
