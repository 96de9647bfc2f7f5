"""The tool that says what happened in a run; its content is tested in tests/reports/test_run.py."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.cell.architecture import CellPair
from autodl.system.files import write_json
from autodl.trial import Evaluation, Trial, TrialState


@pytest.fixture
def run(tmp_path):
    """Two complete trials and a failed one."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("{}\n")
    write_json(folder / "run.json", {"identity": {}, "starts": []})
    cell = CellPair.from_tokens([1, 5, 6, 8], [1, 0])
    with closing(TrialStore(folder / "trials.sqlite")) as store:
        store.propose([Proposal(i, cell, 0) for i in range(3)])
        store.finish(Trial(0, cell, TrialState.COMPLETE, Evaluation(0.25)))
        store.finish(Trial(1, cell, TrialState.COMPLETE, Evaluation(0.5)))
        store.finish(Trial(2, cell, TrialState.FAILED, reason="it burnt"))
    return folder


def test_one_json_object(call, run):
    done = call("report", run, "--json")
    assert (done.code, done.err) == (0, "")
    content = json.loads(done.out)
    assert [trial["state"] for trial in content["trials"]] == ["COMPLETE", "COMPLETE", "FAILED"]
    assert content["best"]["id"] == 1


@pytest.mark.parametrize("words, rows", [([], 2), (["--top", "1"], 1), (["--top", "9"], 2)])
def test_lines_for_people(call, run, words, rows):
    done = call("report", run, *words)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("run run: 3 trials")
    assert [line.split()[0] for line in lines[3:-1]] == [str(rank + 1) for rank in range(rows)]
    assert lines[-1] == "trial 2 FAILED: it burnt"


def test_mistakes(refused, call, run, tmp_path):
    refused("is no run folder: it has no run.json", "report", tmp_path)
    (run / "trials.sqlite").write_bytes(b"something else" * 99)
    refused("cannot open", "report", run)
    (run / "run.json").write_text("{half")
    refused("cannot read", "report", run)
    done = call("report")
    assert done.code == 2
    assert "RUN" in done.err
