"""What is left of a run is saved; what of it is tested in runs/test_salvage.py."""

from __future__ import annotations

import fcntl
from contextlib import closing

import pytest

from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.cell.architecture import CellPair
from autodl.system.files import write_json


@pytest.fixture
def run(tmp_path):
    """A run of two proposals."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("{}\n")
    write_json(folder / "run.json", {"identity": {}, "starts": []})
    cell = CellPair.from_tokens([1, 5, 6, 8], [1, 0])
    with closing(TrialStore(folder / "trials.sqlite")) as store:
        store.propose([Proposal(i, cell, 0) for i in range(2)])
    return folder


def test_the_damaged_file_is_kept_with_its_log(call, refused, run):
    before = (run / "trials.sqlite").read_bytes()
    (run / "trials.sqlite-wal").write_bytes(b"a log of before")
    done = call("report", run, "--salvage")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("kept 2 trials in ")
    assert (run / "trials.sqlite.damaged").read_bytes() == before
    assert not list(run.glob("trials.sqlite-*"))
    with closing(TrialStore(run / "trials.sqlite")) as store:
        assert store.count() == 2
    refused("is there already", "report", run, "--salvage")


def test_mistakes(refused, run, tmp_path):
    refused("is no run folder", "report", tmp_path, "--salvage")
    with open(run / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused("another process is writing", "report", run, "--salvage")
    (run / "trials.sqlite").write_bytes(b"something else" * 99)
    refused("cannot read", "report", run, "--salvage")
    assert not (run / "trials.sqlite.damaged").exists()
