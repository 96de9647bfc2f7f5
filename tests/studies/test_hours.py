"""Core-hours of a study from nothing to a tested network: ``study/whole.yaml`` in seconds."""

from __future__ import annotations

import json

import pytest

from autodl.jobs.search.parts import make_space
from autodl.jobs.search.source import find_start
from autodl.studies.hours import with_total
from autodl.studies.plot import draw_study
from autodl.studies.reading import read_results
from autodl.studies.run import run_study
from autodl.studies.study import Study
from autodl.studies.table import study_table, table_lines

ARMS = ("agent-1", "random-1", "hand-made-1")
SMALL = [
    *("Data.image_size=10", "Data.held_out=40", "Data.train=60", "Network.macs=2e5"),
    *("Train.epochs=1", "Train.batch_size=20", "Strategy.initial=1"),
    *("Search.max_trials=9", "Study.vary.agent-1.Search.max_core_hours=1e-9"),
    "Study.vary.random-1.Search={max_trials: 3, max_core_hours: 1}",
    *(f"Study.vary.{arm}.then.train.Train.epochs=1" for arm in ARMS),
]  # fmt: skip


@pytest.mark.parametrize("name", ["whole", "whole-demo", "stages-start"])
def test_shipped_studies_begin_with_networks_of_their_spaces(name):
    study = Study.load(f"study/{name}.yaml", ["Data.path=archive.tar.gz"])
    begun = [config for config in map(study.config, study.runs) if config.search.start]
    assert begun
    for config in begun:
        assert len(find_start(config, make_space(config))) == len(config.search.start)


def test_the_total_is_of_what_there_is():
    assert with_total({"test_accuracy": 0.5}) == {"test_accuracy": 0.5}
    assert with_total({"search_core_hours": 1.0, "training_core_hours": 2.0, "macs": 9.0}) == {
        **{"search_core_hours": 1.0, "training_core_hours": 2.0, "macs": 9.0},
        "core_hours": 3.0,
    }


def curve_hours(folder):
    curve = json.loads((folder / "metrics.json").read_text())["curve"]
    return sum(epoch["compute_seconds"] for epoch in curve) / 3600


def test_from_nothing_to_a_tested_network(tmp_path):
    study = Study.load("study/whole-demo.yaml", SMALL)
    assert run_study(study, tmp_path, only=[f"{arm}-0" for arm in ARMS]) == []
    results = read_results([tmp_path])
    values = {outcome.variation: outcome.values for outcome in results.outcomes}
    for arm in ARMS:
        trained = curve_hours(tmp_path / f"{arm}-0" / "trained")
        assert values[arm]["training_core_hours"] == pytest.approx(trained)
        parts = ("search_core_hours", "again_core_hours", "training_core_hours")
        spent = sum(values[arm].get(part, 0.0) for part in parts)
        assert values[arm]["core_hours"] == pytest.approx(spent)
        assert 0 <= values[arm]["test_accuracy"] <= 1
    again = sum(map(curve_hours, (tmp_path / "random-1-0" / "again").iterdir()))
    assert values["random-1"]["again_core_hours"] == pytest.approx(again)
    assert not (tmp_path / "hand-made-1-0" / "again").exists()  # it leaves that step out
    trials = {one.variation: len(one.trials.rewards) for one in results.outcomes}
    assert trials == {"agent-1": 1, "random-1": 3, "hand-made-1": 1}  # by hours, and by trials
    text = "\n".join(table_lines(study_table(results), results.columns, results.compared))
    assert "training_core_hours" in text
    assert text.startswith("mean ± deviation over seeds")  # no column shown is of trials
    of_trials = "\n".join(table_lines(study_table(results), ["reward"], []))
    assert of_trials.startswith("best of 1 trials, mean")
    (axes,) = draw_study(results).figure.axes
    assert [container.get_label() for container in axes.containers] == [
        *("agent", "random", "hand-made")
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("core_hours", "test_accuracy")
