"""Runs a search in a folder that is killed again and again, and resumed until it is done.

It is killed by SIGKILL a random moment after so many trials are finished (or stages reported), in
forks of this process, so that nothing is imported twice. After every kill the store has to be
whole, with all that was finished before in it, unchanged.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing

from autodl.runs.store import TrialStore


def finished(path):
    """Rows of finished trials by id, all columns; none where there is no store yet."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT * FROM trials WHERE finish_order IS NOT NULL").fetchall()
    except sqlite3.Error:
        return {}
    return {row[0]: row for row in rows}


def progress(path):
    """Trials that are finished and stages that are reported."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            query = "SELECT count(finish_order) + (SELECT count(*) FROM reports) FROM trials"
            return db.execute(query).fetchone()[0]
    except sqlite3.Error:
        return 0


def check(path, before):
    """Rows of finished trials, once it is sure that none was lost, changed or counted twice."""
    if not path.exists():
        assert not before
        return {}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    now = finished(path)
    assert before.items() <= now.items()
    assert sorted(row[4] for row in now.values()) == list(range(len(now)))  # finish_order
    if now:
        with closing(TrialStore(path, read_only=True)) as store:
            assert {trial.id for trial in store.finished()} == set(now)
            assert len(list(store.trials())) == store.count()
            list(store.reports())
    return now


def kill_and_resume(search, path, draw, targets, pause_seconds):
    """Run ``search`` in a fork for each target and kill it there; then once to its end.

    The moments are a progress of ``targets`` and a random time up to ``pause_seconds``. The
    search is told whether it will be left in peace. Returns how often a kill came in time.
    """
    rows, kills = {}, 0
    for target in [*targets, None]:
        child = os.fork()
        if not child:
            status = 1
            try:
                search(target is None)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        if target is not None:
            while progress(path) < target:
                if os.waitpid(child, os.WNOHANG) != (0, 0):
                    sys.exit(f"it ended by itself, before it came to {target}")
                time.sleep(0.005)
            time.sleep(draw.random() * pause_seconds)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        killed = target is not None and status == signal.SIGKILL
        kills += killed
        if status and not killed:  # 0 also for a target: the kill may have come too late
            sys.exit(f"target {target}: wait status {status}")
        rows = check(path, rows)
    return kills
