"""Importance of decisions in reports of runs."""

from __future__ import annotations

import pytest

from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.reports.html_report import html_report
from autodl.reports.importance import run_importance
from autodl.reports.run import read_run, summary_lines


def searched(folder, trials):
    options = ["Strategy={name: RandomSearch}", f"Search.max_trials={trials}"]
    run_search(load_search("search/cell-agent-table.yaml", options), folder)
    return read_run(folder)


def test_a_run_tells_its_decisions(tmp_path):
    report = searched(tmp_path / "run", 80)
    found = run_importance(report, tmp_path / "run")
    shares = [row["importance"] for row in found["decisions"]]
    assert shares == sorted(shares, reverse=True)
    assert {row["name"] for row in found["decisions"]} >= {"node 0", "edge 0-1"}
    whole = {**report, "importance": found}
    first = found["decisions"][0]
    assert f"  {first['importance']:>6.3f}  {first['name']}" in summary_lines(whole)
    assert "Importance of decisions" in html_report(whole)
    assert "Importance of decisions" not in html_report(report)


def test_a_run_of_few_trials_is_refused_in_one_line(tmp_path):
    report = searched(tmp_path / "run", 10)
    with pytest.raises(ConfigError, match="needs 30 architectures of different rewards, got 10"):
        run_importance(report, tmp_path / "run")
