"""Stores that an earlier release wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from store_for_tests import ARCHITECTURES, complete, failed, paused_at, proposals

from autodl.errors import StoreError
from autodl.runs import schema
from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.codec import encode_text
from autodl.system.state import encode_state

FIRST_VERSION = """
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
PRAGMA user_version = 1;
"""


@pytest.fixture
def first_version(path):
    """A store as the first release wrote it: two finished trials, one running, one proposed."""
    texts = [encode_text(architecture) for architecture in ARCHITECTURES[:4]]
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(FIRST_VERSION)
        row = "INSERT INTO trials VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?)"
        packed = '{"metrics": {"macs": 3.0}, "curve": [{"epoch": 1.0}]}'
        db.execute(row, (0, "COMPLETE", texts[0], 1, 0.5, packed, "", "", 1.25))
        db.execute(
            row, (1, "FAILED", texts[1], 0, None, None, "too\u00a0deep", "Traceback: x", 0.5)
        )
        for i, state in ((2, "RUNNING"), (3, "PROPOSED")):
            db.execute(row, (i, state, texts[i], None, None, None, "", "", 0))
        db.execute("INSERT INTO snapshots VALUES (1, ?)", (encode_state({"x": 2}),))
        db.commit()
    return path


OLD = [complete(0, 0.5, metrics={"macs": 3.0}, curve=({"epoch": 1.0},)), failed(1)]


SECOND_VERSION = """
ALTER TABLE trials ADD COLUMN key TEXT;
CREATE INDEX trials_by_key ON trials (key);
CREATE TABLE reports (
    number INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL,
    epochs INTEGER NOT NULL,
    objectives TEXT NOT NULL
);
CREATE INDEX reports_by_trial ON reports (trial);
UPDATE trials SET key = 'k' || id;
INSERT INTO reports (trial, epochs, objectives) VALUES (2, 1, '[0.5]');
PRAGMA user_version = 2;
"""


@pytest.fixture
def second_version(first_version):
    """The same with keys and a report, as the second release wrote them."""
    with closing(sqlite3.connect(first_version)) as db:
        db.executescript(SECOND_VERSION)
    return first_version


@pytest.fixture(params=["first_version", "second_version"])
def old(request):
    return request.getfixturevalue(request.param)


def version(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_a_store_of_version_1_is_read_as_it_is(first_version):
    with closing(TrialStore(first_version, read_only=True)) as store:
        assert list(store.trials())[:2] == OLD
        assert list(store.finished()) == OLD[::-1]
        assert (store.best(), store.trial(0)) == (OLD[:1], OLD[0])
        assert (store.count(), store.count_finished()) == (4, 2)
        assert store.latest_snapshot() == (1, {"x": 2})
        assert not store.has_keys("")  # so it is no cache
    assert version(first_version) == 1


def test_a_store_of_version_1_is_gone_on_with(first_version):
    with closing(TrialStore(first_version)) as store:
        assert list(store.trials())[:2] == OLD
        assert (list(store.reports()), store.paused()) == ([], [])
        store.reset_running()
        assert store.proposed() == proposals(2, 3)
        store.propose([Proposal(4, ARCHITECTURES[4], 2, "k")])
        store.report(paused_at(2, 0.5), 1, (0.5,))
        store.finish(complete(4, 0.25))
        assert store.first_complete("k") == complete(4, 0.25)
    assert version(first_version) == 3
    with closing(TrialStore(first_version)) as store:  # and only once
        assert [t.id for t in store.finished()] == [1, 0, 4]
        assert [report.trial_id for report in store.reports()] == [2]
        assert store.latest_snapshot() == (1, {"x": 2})


def test_a_store_of_version_2_is_read_as_it_is(second_version):
    with closing(TrialStore(second_version, read_only=True)) as store:
        assert list(store.trials())[:2] == OLD
        assert (store.best(), store.has_keys("k")) == (OLD[:1], True)
        assert store.first_complete("k0") == OLD[0]
    assert version(second_version) == 2


def test_a_store_of_version_2_is_gone_on_with(second_version):
    with closing(TrialStore(second_version)) as store:
        store.reset_running()
        assert [report.trial_id for report in store.reports()] == [2]
        (waiting,) = store.proposed()
        assert waiting == Proposal(3, ARCHITECTURES[3], 0, "k3", None)
        store.propose([Proposal(4, ARCHITECTURES[4], 2, "k4", 0)])
        assert store.unfinished() == {2: None, 3: None, 4: 0}
        store.finish(complete(4, 0.25))
    assert version(second_version) == 3
    with closing(TrialStore(second_version)) as store:  # and only once
        assert [t.id for t in store.finished()] == [1, 0, 4]
        assert (store.key(4), store.unfinished()) == ("k4", {2: None, 3: None})


def test_a_migration_is_done_at_once_or_not_at_all(old, monkeypatch):
    before = version(old)
    broken = (*schema._VERSIONS[:2], f"{schema._VERSIONS[2]} CREATE INDEKS wrong ON trials (id);")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_VERSIONS", broken)
        with pytest.raises(StoreError):
            TrialStore(old)
    assert version(old) == before
    with closing(TrialStore(old)) as store:
        assert list(store.trials())[:2] == OLD
    assert version(old) == 3


def test_an_old_store_has_the_form_of_a_new_one(old, tmp_path):
    new = tmp_path / "new.sqlite"
    for path in (old, new):
        TrialStore(path).close()
    forms = []
    for path in (old, new):
        with closing(sqlite3.connect(path)) as db:
            names = [row[0] for row in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
            tables = ("trials", "snapshots", "reports")
            columns = [db.execute(f"PRAGMA table_info({table})").fetchall() for table in tables]
            forms.append((names, columns))
    assert forms[0] == forms[1]
