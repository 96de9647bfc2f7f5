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


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    """A search by evolution whose error is traded off against a cost."""
    goals = {"minimise": ["macs"], "reward": {"macs": {"target": 1e3, "exponent": -0.07}}}
    config = {
        **CONFIG,
        "Strategy": {"name": "Evolution", "population": 2, "tournament": 2},
        "Objectives": goals,
    }
    stream = io.StringIO()
    folder = tmp_path_factory.mktemp("traded") / "next"
    run_search(resolve_search(RawConfig(config)), folder, observers=[console_progress(stream)])
    return read_run(folder), stream.getvalue()


def test_where_costs_are_traded_off_the_error_is_shown_too(traded):
    report, text = traded
    best = report["best"]
    error = best["metrics"]["held_out_absolute_error"]
    assert best["metrics"]["accuracy"] == -error  # the key that is kept
    assert report["front"][0]["accuracy"] < 0
    lines = "\n".join(summary_lines(report))
    page = html_report(report)
    assert f"mae {error:.4f}" in lines
    assert f"training mae {best['metrics']['train_absolute_error']:.3f}" in lines
    assert re.search(r"trial +mae +macs", lines)
    assert f"{-report['front'][0]['accuracy']:.4f}" in lines
    assert "mae low; MACs low; reward = -mae / (MACs / 1,000)^-0.07" in page
    assert "mae against cost" in page
    assert re.search(r"mean_mae: \d", text)
    for told in (text, lines, page.split("Settings and manifest")[0]):
        assert "accuracy" not in told.lower()


def test_an_error_that_is_shown_for_the_reward_is_not_told_twice(traded):
    report, _ = traded
    plain = {**report, "metric": report["quality"], "objectives": {"minimise": ["macs"]}}
    ranks = "\n".join(summary_lines(plain)).split("Pareto front")[0]
    assert len(re.findall(r"(?<!training )mae", ranks)) == 2  # of all trials, and a head
    assert html_report(plain).count("<button>mae</button>") == 2  # best trials, front
