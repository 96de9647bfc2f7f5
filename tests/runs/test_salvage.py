"""Damaged stores: what can be read of them is kept, and a search goes on with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from loop_for_tests import Tracker, run
from store_for_tests import ARCHITECTURES, complete, failed, paused_at, proposals

from autodl.errors import StoreError
from autodl.runs.salvage import salvage
from autodl.runs.store import Proposal, TrialStore
from autodl.trial import TrialState

PAGE = 4096


def content(path):
    with closing(TrialStore(path)) as store:
        finished, snapshot = list(store.finished()), store.latest_snapshot()
        return list(store.trials()), finished, list(store.reports()), store.proposed(), snapshot


def test_a_whole_store_is_copied(path, tmp_path):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(*range(5), seen=2))
        store.propose([Proposal(5, ARCHITECTURES[5], 3, "key", parent=2)])
        store.report(paused_at(3, 0.5), 1, (0.5,))
        store.report(paused_at(1, 0.25), 1, (0.25,))
        for trial in (complete(2, 1.0, metrics={"macs": 2.0}), failed(0), complete(1, 0.5)):
            store.finish(trial)
        store.snapshot(2, {"x": 1})
    assert salvage(path, tmp_path / "new.sqlite") == (6, 0)
    assert content(tmp_path / "new.sqlite") == content(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.sqlite", "trials.sqlite"]


def test_a_result_that_cannot_be_read_is_measured_again(path, tmp_path):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(*range(4)))
        for i in (2, 1, 0):
            store.finish(complete(i, float(i)))
        store.snapshot(3, {"x": 1})
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE trials SET evaluation = '{' WHERE id = 1")
        db.execute("UPDATE trials SET architecture = x'ff00' WHERE id = 3")
        db.commit()
    assert salvage(path, tmp_path / "new.sqlite") == (2, 1)
    trials, finished, _, proposed, snapshot = content(tmp_path / "new.sqlite")
    assert [trial.id for trial in finished] == [2, 0]
    assert proposed == proposals(1)
    assert (len(trials), snapshot) == (3, None)


@pytest.mark.parametrize("batch_size, cut", [(None, False), (5, True)])
def test_a_search_goes_on_with_a_store_that_lost_pages(open_store, tmp_path, batch_size, cut):
    store = open_store("whole")
    run(store, batch_size=batch_size, count=500, workers=3)
    whole = {trial.id: trial for trial in store.trials()}
    store.close()
    path = tmp_path / "whole.sqlite"
    damaged = bytearray(path.read_bytes())
    leaves = [  # pages of a table's rows begin with 13
        start
        for start in range(PAGE, len(damaged), PAGE)
        if damaged[start] == 13 and b"cell_pair" in damaged[start : start + PAGE]
    ]
    start = leaves[len(leaves) // 2]
    damaged[start : start + PAGE] = b"\xa5" * PAGE
    if cut:
        del damaged[len(damaged) * 9 // 10 // PAGE * PAGE + 100 :]
    path.write_bytes(damaged)
    kept, lost = salvage(path, tmp_path / "new.sqlite")
    assert 400 <= kept < 500
    assert 0 < lost <= 60
    new = open_store("new")
    assert new.count() == kept + lost
    finished = list(new.finished())
    assert len(finished) == new.count_finished() == kept
    assert all(trial == whole[trial.id] for trial in finished)
    strategy, _ = run(new, strategy=Tracker(batch_size), count=520, workers=3)
    assert sorted(i for i, _ in strategy.told) == list(range(520))
    assert all(trial.state is not TrialState.PROPOSED for trial in new.trials())


@pytest.mark.parametrize("rest", [b"", b"no database " * 999])
def test_a_file_without_a_beginning_is_refused(path, tmp_path, rest):
    path.write_bytes(rest)
    with pytest.raises(StoreError, match=r"cannot read .*trials\.sqlite: "):
        salvage(path, tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()
