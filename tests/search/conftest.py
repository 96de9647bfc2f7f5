"""Stores that are closed in the end, and the folder of the modules that these tests share."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from autodl.runs.store import TrialStore

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def open_store(name="trials"):
        store = TrialStore(tmp_path / f"{name}.sqlite")
        store._db.execute("PRAGMA synchronous = OFF")  # the machine does not lose its power here
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trials.sqlite"


@pytest.fixture
def store(path):
    with closing(TrialStore(path)) as store:
        yield store
