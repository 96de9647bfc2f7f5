"""Outcomes from the folders of searches and of studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.runs.folder import MANIFEST, read_manifest
from autodl.studies import reading
from autodl.studies.jobs import Found
from autodl.studies.reading import read_results
from autodl.studies.run import run_study
from autodl.studies.study import Study
from autodl.studies.table import study_table
from autodl.system.files import write_json

RANDOM = [
    "Strategy.name=RandomSearch",
    "Search.executor=inline",
    "Search.max_trials=6",
    "Space.nodes=3",
]
TWO = "Study={job: simulate, seeds: 2, vary: {few: {}, many: {Space: {nodes: 6}}}, control: few}"


def run(folder, *overrides):
    run_search(load_search("search/cell-agent-tokens.yaml", [*RANDOM, *overrides]), folder)
    return folder


def test_searches_are_grouped_by_strategy_and_paired_by_seed(tmp_path):
    runs = [run(tmp_path / str(seed), f"Global.seed={seed}") for seed in (0, 1)]
    results = read_results(runs)
    found = [(o.variation, o.seed, len(o.trials.rewards)) for o in results.outcomes]
    assert found == [("RandomSearch", 0, 6), ("RandomSearch", 1, 6)]
    table = study_table(results)
    ends = [max(outcome.trials.rewards) for outcome in results.outcomes]
    reward = table["variations"][0]["values"]["reward"]
    assert reward["mean"] == np.mean(ends)
    assert reward["sd"] == pytest.approx(np.std(ends, ddof=1))
    assert table["differences"] == []
    with pytest.raises(ConfigError, match="RandomSearch with seed 0 is there twice"):
        read_results([*runs, run(tmp_path / "again")])


def test_searches_of_different_spaces_are_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"differ in more than strategy and seed: Space.nodes \(3 there, 2 here\)"
    ):
        read_results([run(tmp_path / "a"), run(tmp_path / "b", "Space.nodes=2")])


def test_searches_that_inherit_compare_with_those_that_do_not(tmp_path, monkeypatch):
    """And transfers with searches from scratch, whatever each started from and plugged in."""
    train = {"epochs": 1}
    identities = {
        "a": {"Strategy": {"name": "Evolution"}, "Train": {**train, "inherit": True}},
        "b": {"Strategy": {"name": "Evolution"}, "Train": train},
        "c": {"Strategy": {"name": "ElasticTransfer"}, "Train": train, "Source": {"kind": "x"}},
    }
    for name in identities:
        (tmp_path / name).mkdir()
        (tmp_path / name / "trials.sqlite").touch()

    def manifest(run):
        plugins = []
        return {"identity": {"Global": {"seed": 4, "plugins": plugins}, **identities[run.name]}}

    monkeypatch.setattr(reading, "read_manifest", manifest)
    monkeypatch.setattr(reading, "read_search", lambda run: Found({}))
    groups = [o.variation for o in read_results([tmp_path / name for name in "abc"]).outcomes]
    assert groups == ["Evolution Train.inherit=True", "Evolution Train.inherit=False", groups[2]]
    assert groups[2].startswith("ElasticTransfer")
    identities["b"]["Train"] = {"epochs": 2}
    with pytest.raises(ConfigError, match=r"seed: Train.epochs \(1 there, 2 here\)"):
        read_results([tmp_path / "a", tmp_path / "b"])


def test_a_study_is_read_as_far_as_it_is(tmp_path):
    study = Study.load("search/cell-agent-tokens.yaml", [*RANDOM, TWO])
    out = tmp_path / "study"
    assert run_study(study, out, only=["few-0", "many-0"]) == []
    results = read_results([out])
    assert [(o.variation, o.seed) for o in results.outcomes] == [("few", 0), ("many", 0)]
    assert results.control == "few"
    other = tmp_path / "other"
    run_study(study, other, only=["few-1"])
    both = read_results([out, other])
    assert [(o.variation, o.seed) for o in both.outcomes] == [
        *(("few", 0), ("many", 0), ("few", 1)),
    ]
    with pytest.raises(ConfigError, match="few with seed 0 is there twice"):
        read_results([out, out])


@pytest.mark.parametrize("ended", ["interrupted", "failed: KeyboardInterrupt: ", None])
def test_a_search_that_was_cut_short_is_left_out_of_its_study(tmp_path, ended):
    """Else all others would be compared after as few trials as it has."""
    searches = TWO.replace("simulate", "search")
    study = Study.load("search/cell-agent-tokens.yaml", [*RANDOM, searches])
    out = tmp_path / "study"
    assert run_study(study, out, only=["few-0", "many-0"]) == []
    assert len(read_results([out]).outcomes) == 2
    manifest = read_manifest(out / "many-0")
    del manifest["ended"]
    write_json(out / "many-0" / MANIFEST, manifest | ({"ended": ended} if ended else {}))
    assert [o.variation for o in read_results([out]).outcomes] == ["few"]


@pytest.mark.parametrize("job, name", [("search", "trials.sqlite"), ("simulate", "metrics.json")])
def test_a_run_whose_result_is_gone_is_not_left_out_in_silence(tmp_path, job, name):
    study = Study.load("search/cell-agent-tokens.yaml", [*RANDOM, TWO.replace("simulate", job)])
    out = tmp_path / "study"
    run_study(study, out, only=["few-0", "many-0"])
    (out / "many-0" / name).unlink()
    with pytest.raises(StoreError, match=rf"many-0.*{name}"):
        read_results([out])


def test_a_digit_of_a_result_that_changed_is_noticed(tmp_path):
    out = tmp_path / "study"
    study = Study.load("search/cell-agent-tokens.yaml", [*RANDOM, TWO])
    run_study(study, out, only=["few-0"])
    metrics = out / "few-0" / "metrics.json"
    metrics.write_text(metrics.read_text().replace("0.0", "0.1", 1).replace("1.0", "1.5", 1))
    with pytest.raises(StoreError, match=r"metrics\.json is not what the run wrote"):
        read_results([out])


def test_a_search_whose_manifest_says_nothing_is_refused(tmp_path):
    folder = run(tmp_path / "run")
    write_json(folder / MANIFEST, {**read_manifest(folder), "identity": {"Train": {}}})
    with pytest.raises(StoreError, match=r"run\.json is damaged: its identity lacks 'Strategy'"):
        read_results([folder])


def test_folders_of_nothing_and_of_different_kinds(tmp_path):
    with pytest.raises(StoreError, match="no study with anything finished"):
        read_results([tmp_path])
    with pytest.raises(StoreError, match="no folder: no study"):
        read_results([])
    search = run(tmp_path / "run")
    (tmp_path / "bits").mkdir()
    Path(tmp_path / "bits" / "study.json").write_text("{}")
    with pytest.raises(ConfigError, match="hold results of different kinds"):
        read_results([search, tmp_path / "bits"])
