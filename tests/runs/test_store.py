"""The store of a run's trials."""

from __future__ import annotations

import sqlite3
import tracemalloc
from contextlib import closing

import numpy as np
import pytest
from store_for_tests import ARCHITECTURES, complete, failed, one_line, proposals

from autodl.errors import EncodingError, StoreError
from autodl.runs.store import Proposal, TrialStore
from autodl.trial import Trial, TrialState


def test_what_is_stored_is_found_again_by_the_next_process(path):
    curve = ({"epoch": 1.0, "loss": 2.5}, {"epoch": 2.0, "loss": float("inf")})
    told = [complete(1, 0.1 + 0.2, metrics={"macs": 3.0}, curve=curve), failed(0)]
    with closing(TrialStore(path)) as store:
        store.propose(proposals(0, 1, 2, seen=0))
        for trial in told:
            store.finish(trial)
    with closing(TrialStore(path)) as store:
        assert list(store.finished()) == told
        assert list(store.finished(by_id=True)) == told[::-1]
        assert list(store.trials())[:2] == told[::-1]
        assert list(store.trials())[2] == Trial(2, ARCHITECTURES[2], TrialState.PROPOSED)
        assert (store.count(), store.count_finished()) == (3, 2)
        assert store.proposed() == proposals(2)


def test_an_empty_store(store):
    assert (store.count(), store.count_finished()) == (0, 0)
    assert (store.proposed(), list(store.finished()), list(store.trials())) == ([], [], [])
    assert (store.best(), store.latest_snapshot()) == ([], None)


def test_finished_trials_from_a_start(store):
    store.propose(proposals(*range(5)))
    for i in (3, 0, 1, 2):
        store.finish(complete(i, float(i)))
    assert [t.id for t in store.finished(start=1)] == [0, 1, 2]
    assert [t.id for t in store.finished(by_id=True, start=1)] == [1, 2, 3]
    assert list(store.finished(start=4)) == []


def test_the_best_are_complete_and_of_equal_ones_the_earlier_comes_first(store):
    store.propose(proposals(*range(5)))
    for trial in (complete(4, 0.5), failed(3), complete(2, -1.0), complete(1, 0.5), failed(0)):
        store.finish(trial)
    assert [t.id for t in store.best(3)] == [1, 4, 2]
    assert [t.id for t in store.best(99)] == [1, 4, 2]
    assert [t.id for t in store.best()] == [1]


def test_proposals_are_recorded_all_or_none(store):
    store.propose(proposals(0, 1))
    with pytest.raises(StoreError):
        store.propose(proposals(2, 1))
    assert store.count() == 2
    store.propose(proposals(2))


@pytest.mark.parametrize("trial_id, known", [(0, True), (7, False)])
def test_a_result_is_recorded_once_and_for_a_proposal(store, trial_id, known):
    store.propose(proposals(0))
    if known:
        store.finish(complete(0, 1.0))
    with pytest.raises(StoreError, match=f"trial {trial_id} was not proposed, or is finished"):
        store.finish(complete(trial_id, 2.0))
    assert [t.reward for t in store.finished()] == ([1.0] if known else [])


def test_a_snapshot_takes_the_place_of_earlier_ones(store, path):
    store.snapshot(3, {"x": np.arange(3.0)})
    store.snapshot(8, {"x": np.arange(4.0), "note": "second"})
    with closing(TrialStore(path, read_only=True)) as other:
        tells, state = other.latest_snapshot()
    assert (tells, state["note"]) == (8, "second")
    np.testing.assert_array_equal(state["x"], np.arange(4.0))


def test_snapshots_can_be_written_while_finished_trials_are_read(store):
    store.propose(proposals(*range(6)))
    for i in range(6):
        store.finish(complete(i, 1.0))
    seen = []
    for trial in store.finished():
        store.snapshot(trial.id, {})
        seen.append(trial.id)
    assert seen == list(range(6))


def test_others_may_read_while_one_writes(store, path):
    store.propose(proposals(0))
    with closing(TrialStore(path, read_only=True)) as reader:
        assert reader.count_finished() == 0
        store.finish(complete(0, 1.0))
        assert reader.count_finished() == 1
        with pytest.raises(StoreError, match="readonly"):
            reader.finish(complete(0, 2.0))


@pytest.mark.parametrize("name", ["plain", "100% #1?mode=ro&x", "run é", "a'b\"c"])
def test_folders_may_have_any_name(tmp_path, name, monkeypatch):
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (folder / "trials.sqlite", type(folder)("relative.sqlite")):
        with closing(TrialStore(path)) as store:
            store.propose(proposals(0))
        with closing(TrialStore(path, read_only=True)) as store:
            assert store.count() == 1
    assert sorted(p.name for p in folder.glob("*.sqlite")) == ["relative.sqlite", "trials.sqlite"]
    assert list(tmp_path.iterdir()) == [folder]


def test_reading_makes_no_file(path):
    with pytest.raises(StoreError, match=r"no trials in .*trials\.sqlite; give a run folder"):
        TrialStore(path, read_only=True)
    assert not path.exists()


def test_a_store_of_another_version_is_refused(path):
    TrialStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError) as error:
        TrialStore(path)
    assert "has store version 7, this release reads 1" in one_line(error)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(84)])
def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError) as error:
        TrialStore(path)
    assert str(path) in one_line(error)
    assert path.read_bytes() == content


def read_all(path):
    with closing(TrialStore(path)) as store:
        return list(store.finished()), list(store.trials()), store.proposed(), store.best(9)


def complaint(path):
    """What is said about a store that cannot be read; any other exception is an error."""
    try:
        read_all(path)
    except (StoreError, EncodingError) as error:
        return str(error)
    return ""


def test_a_damaged_file_gives_our_errors_only(path):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(*range(40)))
        for i in range(30):
            store.finish(complete(i, float(i)))
    whole = path.read_bytes()
    expected, rng, refused = read_all(path), np.random.default_rng(0), 0
    for _ in range(60):
        damaged = bytearray(whole)
        start = int(rng.integers(len(whole)))
        damaged[start : start + 300] = rng.bytes(len(damaged[start : start + 300]))
        path.write_bytes(damaged)
        for leftover in path.parent.glob("trials.sqlite-*"):
            leftover.unlink()
        message = complaint(path)
        refused += bool(message)
        assert not message or (str(path) in message and "\n" not in message)
    assert refused > 20
    path.write_bytes(whole)
    assert read_all(path) == expected


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trials SET architecture = 'no JSON' WHERE id = 1",
        "UPDATE trials SET state = 'GONE' WHERE id = 1",
        "UPDATE trials SET evaluation = '{' WHERE id = 1",
        "UPDATE trials SET evaluation = '{}' WHERE id = 1",
    ],
)
def test_a_damaged_row_is_named(path, change):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(0, 1))
        store.finish(complete(1, 1.0))
    with closing(sqlite3.connect(path)) as db:
        db.execute(change)
        db.commit()
    with closing(TrialStore(path)) as store, pytest.raises(StoreError) as error:
        list(store.trials())
    assert "trial 1: " in one_line(error)
    assert f"`autodl report --salvage {path.parent}` saves what is left" in one_line(error)


@pytest.mark.parametrize(
    "old, new, wanted",
    [
        ("conv_1x1", "my_conv", "unknown operation 'my_conv'.* name the plugin in Global.plugins"),
        ("cell_pair", "my_net", "unknown architecture kind 'my_net'.* name the plugin in Global"),
        ('"version":1', '"version":7', "this release reads cell_pair version 1, got 7"),
    ],
)
def test_an_architecture_that_needs_a_plugin_is_no_damage(path, old, new, wanted):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(0, 1))
        store.finish(complete(1, 1.0))
    with closing(sqlite3.connect(path)) as db:
        query = "UPDATE trials SET architecture = replace(architecture, ?, ?)"
        db.execute(query, (old, new))
        db.commit()
    with closing(TrialStore(path)) as store:
        readers = [store.trials, store.finished, store.proposed, store.best]
        for read in readers:
            with pytest.raises(EncodingError, match=wanted) as error:
                list(read())
            assert one_line(error).startswith(f"{path}: trial ")
            assert "salvage" not in str(error.value)


def test_a_damaged_snapshot_names_the_file_and_the_fix(path):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(0))
        store.finish(complete(0, 1.0))
        store.snapshot(12, {"x": np.arange(3.0)})
    with closing(sqlite3.connect(path)) as db:
        for value in (b"nothing", "text"):
            db.execute("UPDATE snapshots SET state = ?", (value,))
            db.commit()
            with closing(TrialStore(path)) as store, pytest.raises(StoreError) as error:
                store.latest_snapshot()
            text = one_line(error)
            assert text.startswith(f"{path}: the snapshot of the strategy after 12 trials: ")
            assert "`sqlite3 trials.sqlite 'DELETE FROM snapshots'`" in text
        db.execute("DELETE FROM snapshots")  # the fix that is named
        db.commit()
    with closing(TrialStore(path)) as store:
        assert store.latest_snapshot() is None
        assert len(list(store.finished())) == 1


# --- what is running -----------------------------------------------------------------------------


def test_a_started_trial_is_running_until_it_is_finished_or_given_up(store, path):
    store.propose(proposals(0, 1, 2))
    store.finish(complete(0, 1.0))
    store.start(1)
    store.start(2)
    store.start(0)  # finished: stays what it is
    with closing(TrialStore(path, read_only=True)) as other:
        assert [t.state.value for t in other.trials()] == ["COMPLETE", "RUNNING", "RUNNING"]
    assert store.proposed() == []
    store.finish(failed(2))
    store.reset_running()
    assert [t.state.value for t in store.trials()] == ["COMPLETE", "PROPOSED", "FAILED"]
    assert store.proposed() == proposals(1)


# --- many trials ---------------------------------------------------------------------------------


def test_curves_can_be_left_out(store):
    store.propose(proposals(0, 1))
    store.finish(complete(1, 0.5, metrics={"macs": 3.0}, curve=({"epoch": 1.0},)))
    assert list(store.trials(curves=False))[1] == complete(1, 0.5, metrics={"macs": 3.0})
    assert list(store.trials())[1].evaluation.curve == ({"epoch": 1.0},)


def test_reading_many_trials_takes_the_memory_of_a_few(store):
    count = 4_000
    store.propose([Proposal(i, ARCHITECTURES[0], 0) for i in range(count)])
    text = '{"metrics": {}, "curve": []}' + " " * 4000
    with store._transaction():
        store._db.execute(
            "UPDATE trials SET state = 'COMPLETE', reward = 0.5, finish_order = id, evaluation = ?",
            (text,),
        )
    readers = {"trials": store.trials, "finished": store.finished}
    readers["by id"] = lambda: store.finished(by_id=True)
    for name, read in readers.items():
        tracemalloc.start()
        assert sum(1 for _ in read()) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # a chunk of 1,000 rows is about 5 MB, of two of them at a time; all would be 20
        assert peak < 12e6, name


def test_the_disk_is_waited_for_once_a_second_and_at_the_first_result(store, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("autodl.runs.store.time.monotonic", lambda: clock[0])
    store.propose(proposals(*range(6)))
    modes = []
    for trial_id, now in enumerate((100.0, 100.9, 101.1, 101.2, 103.0)):
        clock[0] = now
        store.finish(complete(trial_id, 1.0))
        modes.append(store._db.execute("PRAGMA synchronous").fetchone()[0])
    full, normal = 2, 1
    assert modes == [full, normal, full, normal, full]


def test_a_write_that_another_process_blocks_is_an_error_that_loses_nothing(path):
    with closing(TrialStore(path)) as store, closing(sqlite3.connect(path)) as other:
        store._db.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            store.propose(proposals(0))
        other.execute("ROLLBACK")
        store.propose(proposals(0))
        assert store.count() == 1


def test_a_full_disk_is_an_error_that_loses_nothing(path):
    with closing(TrialStore(path)) as store:
        store.propose(proposals(0, 1))
        store.finish(complete(0, 1.0))
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"full\. Nothing finished is lost: free some space"):
            store.propose([Proposal(i, ARCHITECTURES[0], 0) for i in range(2, 600)])
        store.finish(complete(1, 2.0))
        assert (store.count(), store.count_finished()) == (2, 2)


def test_a_key_is_looked_up_by_the_index_of_keys(store):
    asked = []
    store._db.set_trace_callback(asked.append)
    assert not store.has_keys("abc-")
    store._db.set_trace_callback(None)
    plan = store._db.execute(f"EXPLAIN QUERY PLAN {asked[-1]}").fetchall()
    assert "trials_by_key" in plan[0][-1]
