"""A finished run in a folder that may not be written is read by the tools as anywhere else."""

from __future__ import annotations

import json

import pytest

from autodl.reports.run import read_run

SEARCH = """
Search: {max_trials: 3, executor: inline}
Strategy: {name: RandomSearch}
Space: {nodes: 3}
Evaluator: {name: TokenCount}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "search.yaml").write_text(SEARCH)
    return tmp_path / "search.yaml"


@pytest.fixture
def run(call, config, tmp_path):
    folder = tmp_path / "run"
    assert call("search", "-c", config, "--out", folder).code == 0
    return folder


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_report(call, run, words, in_an_unwritable_folder):
    here, before = call("report", run, *words), names(run)

    def same():
        there = call("report", run, *words)
        return 0 if (there.code, there.out, there.err) == (0, here.out, "") else 1

    assert here.out
    assert in_an_unwritable_folder(run, same) == 0
    assert names(run) == before


def test_a_search_takes_results_from_it(call, config, run, tmp_path, in_an_unwritable_folder):
    out, before = tmp_path / "out", names(run)
    out.mkdir()
    out.chmod(0o777)

    def search(name):
        cache = ["-o", f"Search.cache={json.dumps([str(run)])}", "-o", "Search.max_trials=3"]
        return call("search", "-c", config, *cache, "--out", out / name).code

    assert search("imported") == 0  # what is imported when it is needed, while that may be read
    assert in_an_unwritable_folder(run, lambda: search("there")) == 0
    assert names(run) == before
    trials = read_run(out / "there")["trials"]
    assert [trial["reused"] for trial in trials] == [True] * 3


def test_what_would_write_into_it_is_refused_in_one_line(
    call, config, run, in_an_unwritable_folder
):
    def refused():
        done = call("search", "-c", config, "--resume", "--out", run)
        lines = done.err.splitlines()
        return 0 if done.code == 2 and lines[0].startswith("error: cannot write to ") else 1

    assert in_an_unwritable_folder(run, refused) == 0
