"""A search for a network that predicts numbers: its error is shown, not the reward behind it."""

from __future__ import annotations

import io
import re

import pytest

from autodl.config.reading import RawConfig
from autodl.jobs.search.run import run_search
from autodl.reports.html_report import html_report
from autodl.reports.run import read_run, summary_lines
from autodl.search.config import resolve_search
from autodl.search.observers.progress import console_progress

CONFIG = {
    "Global": {"seed": 0, "device": "cpu"},
    "Search": {"max_trials": 3, "executor": "inline"},
    "Strategy": {"name": "AutoDLAgent", "batch_size": 3, "hidden": 8},
    "Space": {"name": "SequenceSpace", "blocks": 2, "operations": ["conv_3", "gru"]},
    "Network": {"name": "SequenceNetwork", "width": 4},
    "Data": {"name": "NextValue", "targets": ["level"], "window": 8},
    "Train": {"epochs": 1, "batch_size": 128, "pad_crop": 0, "flip": "none"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    stream = io.StringIO()
    folder = tmp_path_factory.mktemp("search") / "next"
    result = run_search(
        resolve_search(RawConfig(CONFIG)), folder, observers=[console_progress(stream)]
    )
    return folder, result, stream.getvalue()


def test_the_best_has_the_lowest_error(run):
    folder, result, _ = run
    trials = read_run(folder)["trials"]
    errors = {trial["id"]: trial["metrics"]["held_out_absolute_error"] for trial in trials}
    assert len(errors) == 3
    assert result.best.id == min(errors, key=errors.get)
    assert all(trial["reward"] == -errors[trial["id"]] for trial in trials)


def test_lines_and_reports_show_the_error(run):
    folder, result, text = run
    report = read_run(folder)
    value = f"{-result.best.reward:.4f}"
    assert report["metric"] == {
        "name": "absolute_error",
        "label": "mae",
        "higher_is_better": False,
    }
    assert f"best: {value} (trial {result.best.id})" in text
    assert re.search(r"id: 0, mae: 0\.\d{4}|id: 0, mae: 1\.\d{4}", text)
    lines = "\n".join(summary_lines(report))
    assert f"best {value}" in lines
    page = html_report(report)
    assert f"mae {value}" in page
    assert "mae by trial" in page
    assert f"-{value}" not in text + lines
