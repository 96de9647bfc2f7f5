"""Runs of a study: resumed, side by side, refused and failed."""

from __future__ import annotations

import json

import pytest

from autodl.config.reading import RawConfig
from autodl.errors import StoreError, UnknownNameError
from autodl.studies.reading import read_results
from autodl.studies.run import run_study
from autodl.studies.study import Study
from autodl.studies.table import study_table
from autodl.trial import TrialFailure

TOKENS = "search/cell-agent-tokens.yaml"
SMALL = ["Strategy={name: RandomSearch}", "Search.max_trials=8", "Space.nodes=3"]


def load(study, *overrides):
    return Study.load(TOKENS, [*SMALL, f"Study={study}", *overrides])


TWO = "{job: simulate, seeds: 2, vary: {few: {}, many: {Space: {nodes: 6}}}}"


def test_what_is_done_is_not_done_again_and_seeds_can_be_added(tmp_path):
    run_study(load(TWO), tmp_path / "out")
    metrics = tmp_path / "out" / "few-0" / "metrics.json"
    assert len(json.loads(metrics.read_text())["rewards"]) == 8
    stamp = metrics.stat().st_mtime_ns
    told = []
    run_study(load(TWO, "Study.seeds=3"), tmp_path / "out", tell=told.append)
    assert metrics.stat().st_mtime_ns == stamp
    assert told == [f"{name}-{seed}: done" for seed in range(3) for name in ("few", "many")]
    table = study_table(read_results([tmp_path / "out"]))
    assert [row["seeds"] for row in table["variations"]] == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(
    "job, said", [("train", "there is no "), ("compress", "holds no finished training")]
)
def test_a_source_that_is_missing_for_the_last_seed_is_said_before_the_first(
    tmp_path, monkeypatch, job, said
):
    (tmp_path / "net-0").mkdir()
    monkeypatch.setattr("autodl.jobs.compress.source.best_trained", lambda folder: folder)
    source = tmp_path / "net-{seed}"
    raw = RawConfig({"Study": {"job": job, "seeds": 2, "source": str(source)}})
    study = Study.resolve(raw)
    with pytest.raises(StoreError, match=said):
        run_study(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_processes_side_by_side_give_the_same(tmp_path):
    run_study(load(TWO), tmp_path / "one")
    run_study(load(TWO), tmp_path / "two", workers=2)
    tables = [study_table(read_results([tmp_path / name])) for name in ("one", "two")]
    rewards = [[run["values"]["reward"] for run in table["runs"]] for table in tables]
    assert rewards[0] == rewards[1]


def test_a_search_of_a_study_is_an_ordinary_run(tmp_path):
    run_study(load("{job: search, seeds: [1], vary: {few: {}}}"), tmp_path)
    assert {"config.yaml", "run.json", "trials.sqlite", "best.json"} <= {
        path.name for path in (tmp_path / "few-1").iterdir()
    }
    assert read_results([tmp_path / "few-1"]).outcomes[0].variation == "RandomSearch"
    more = load("{job: search, seeds: [1], vary: {few: {}}}", "Search.max_trials=10")
    run_study(more, tmp_path)  # goes on where it is
    (outcome,) = read_results([tmp_path]).outcomes
    assert len(outcome.trials.rewards) == 10


def test_other_folders_and_other_configurations_are_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(StoreError, match="holds no study"):
        run_study(load(TWO), tmp_path)
    run_study(load(TWO), tmp_path / "out")
    with pytest.raises(StoreError, match="few-0 holds another run: its Evaluator differs"):
        run_study(load(TWO, "Evaluator.token=2"), tmp_path / "out")
    with pytest.raises(UnknownNameError, match="Did you mean 'few-0'"):
        run_study(load(TWO), tmp_path / "out", only=["fw-0"])


def test_a_run_that_fails_leaves_the_others(tmp_path, monkeypatch):
    from autodl.studies import simulate

    real = simulate.simulated

    def failing(config):
        if config.general.seed == 0:
            raise TrialFailure("the loss is not finite")
        return real(config)

    monkeypatch.setattr(simulate, "simulated", failing)
    failures = run_study(load("{job: simulate, seeds: 2, vary: {few: {}}}"), tmp_path / "out")
    assert failures == ["few-0: the loss is not finite"]
    (outcome,) = read_results([tmp_path / "out"]).outcomes
    assert outcome.seed == 1


def test_the_best_choice_of_half_of_the_seeds_is_run_on_the_others(tmp_path):
    text = "{job: simulate, seeds: 4, tune: {Space.nodes: [2, 12, 6]}, vary: {plain: {}}}"
    run_study(load(text), tmp_path)
    tuning = json.loads((tmp_path / "tuning.json").read_text())
    assert [row["values"]["Space.nodes"] for row in tuning["candidates"]] == [12, 6, 2]
    assert tuning["asked"]["seeds"] == [0, 1]
    table = study_table(read_results([tmp_path]))
    assert [(row["name"], row["seeds"]) for row in table["variations"]] == [
        ("tuned", [2, 3]),
        ("plain", [2, 3]),
    ]
    run_study(load(text), tmp_path)  # nothing is tuned again
    with pytest.raises(StoreError, match="that of another study"):
        run_study(load(text, "Study.tune={Space.nodes: [2]}"), tmp_path)


def test_a_simulation_that_reached_its_target_is_finished(tmp_path, monkeypatch):
    from autodl.studies import simulate

    study = "{job: simulate, seeds: 1, vary: {few: {}}}"
    run_study(load(study), tmp_path / "whole")
    (whole,) = read_results([tmp_path / "whole"]).outcomes
    enough = f"Search.target_reward={max(whole.trials.rewards[:-1])}"
    run_study(load(study, enough), tmp_path / "cut")
    (cut,) = read_results([tmp_path / "cut"]).outcomes
    assert 0 < len(cut.trials.rewards) < len(whole.trials.rewards)
    asked = []
    monkeypatch.setattr(simulate, "simulated", asked.append)
    run_study(load(study, enough), tmp_path / "cut")
    assert not asked


@pytest.mark.parametrize(
    "enough", ["Search.target_reward=1", "Search.max_hours=1e-6", "Search.max_core_hours=1e-9"]
)
def test_a_search_that_ended_by_its_own_budget_is_finished(tmp_path, enough):
    """It is not given the same again by each start of the study; more of it is."""
    study = "{job: search, seeds: [1], vary: {few: {}}}"
    run_study(load(study, enough), tmp_path)
    manifest = json.loads((tmp_path / "few-1" / "run.json").read_text())
    trials = manifest.get("finished_trials")
    if trials:  # a millionth of an hour may be over before the first one
        run_study(load(study, enough), tmp_path)
        assert json.loads((tmp_path / "few-1" / "run.json").read_text()) == manifest
    run_study(load(study), tmp_path)
    assert json.loads((tmp_path / "few-1" / "run.json").read_text())["finished_trials"] == 8


def test_what_waits_for_a_run_without_a_result_says_so(tmp_path):
    """The run before has failed, and left its folder; other seeds are done all the same."""
    hours = "{of: first, value: search_core_hours, whole: true}"  # 0: nothing is trained
    later = f"{{Evaluator: {{token: {hours}}}}}"
    own = load(f"{{job: search, seeds: 2, vary: {{first: {{}}, later: {later}}}}}")
    run_study(own, tmp_path, only=["first-0"])
    (tmp_path / "first-1").mkdir()
    failures = run_study(own, tmp_path, only=["later-0", "later-1"])
    assert failures == ["later-1: waits for first-1, which has no result"]
    assert len(read_results([tmp_path / "later-0"]).outcomes[0].trials.rewards) == 8


def test_the_study_on_file_stays_where_another_one_is_refused(tmp_path):
    run_study(load(TWO), tmp_path / "out")
    known = (tmp_path / "out" / "study.yaml").read_text()
    with pytest.raises(StoreError, match="few-0 holds another run"):
        run_study(load(TWO.replace("many", "more"), "Evaluator.token=2"), tmp_path / "out")
    assert (tmp_path / "out" / "study.yaml").read_text() == known


def test_studies_that_are_read_together_are_said_of_together(tmp_path):
    """After how many trials searches reach a reward is said of all of them, not of the first."""
    for seed in (0, 1):
        text = f"{{job: simulate, seeds: [{seed}], reach: [0], vary: {{few: {{}}}}}}"
        run_study(load(text), tmp_path / str(seed))
    both = read_results([tmp_path / "0", tmp_path / "1"])
    _, line = study_table(both)["notes"]
    assert "(2 of 2)" in line
