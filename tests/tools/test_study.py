"""The tool that does studies and sums them up."""

from __future__ import annotations

import json

import pytest

SMALL = ["-c", "study/table.yaml", "-o", "Search.max_trials=5", "Study.seeds=2"]


@pytest.fixture
def done(call, tmp_path):
    out = tmp_path / "study"
    run = call("study", *SMALL, "--only", "agent-0", "random-0", "random-1", "--out", out)
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines()[-1] == f"plot: {out / 'plot.svg'}"
    assert "best reward so far" in (out / "plot.svg").read_text()
    return out


def test_a_study_is_done_and_summed_up(call, done, tmp_path):
    plot = tmp_path / "plot.svg"
    whole = call("study", *SMALL, "--out", done, "--plot", plot, "--title", "Table")
    assert whole.code == 0, whole.err
    assert "agent-1: done" in whole.out
    assert "best of 5 trials, mean ± deviation over seeds:" in whole.out
    assert "reward, agent - random: " in whole.out
    assert "parameters, agent - random: " in whole.out  # not the reward alone
    assert ">Table<" in plot.read_text()
    plain = json.loads(call("study", done, "--json").out)
    assert [row["seeds"] for row in plain["variations"]] == [[0, 1]] * 3
    assert plain["tuning"] is None
    few = call("study", done, "--columns", "macs", "--plot", plot, "--y", "macs", "--x", "reward")
    assert "macs" in few.out
    assert "parameters" not in few.out


def test_mistakes(refused, done, tmp_path):
    refused("give -c CONFIG to do a study, or the FOLDERs", "study")
    refused("give the folder of the study", "study", *SMALL)
    refused("--workers must be", "study", *SMALL, "--out", tmp_path / "x", "--workers", 0)
    for option in ("--out", "--only", "--workers"):
        refused(f"{option} is for doing a study by -c CONFIG", "study", done, option, "1")
    refused("no study with anything finished", "study", tmp_path)
    refused("Did you mean 'reward'", "study", done, "--columns", "rewrd")
    refused(".svg or .png", "study", done, "--plot", tmp_path / "plot.txt")
    before_any_run = ["study", *SMALL, "--out", tmp_path / "x", "--plot"]
    refused(".svg or .png", *before_any_run, tmp_path / "plot.txt")
    (tmp_path / "file").write_text("")
    refused("the drawing goes there", *before_any_run, tmp_path / "file" / "plot.svg")
    assert not (tmp_path / "x").exists()
    refused("unknown run 'agent-7'", "study", *SMALL, "--out", done, "--only", "agent-7")
    refused("no finished search with shared weights", "study", done, "--then", "alignment")
