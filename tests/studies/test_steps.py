"""What follows a run: a study of widths from the search to the test, and a search's best."""

from __future__ import annotations

import json

import pytest

from autodl.config.reading import RawConfig
from autodl.errors import ConfigError, StoreError
from autodl.studies.reading import read_results
from autodl.studies.run import run_study
from autodl.studies.steps import known_architectures
from autodl.studies.study import Study
from autodl.studies.table import study_table, table_lines

WIDTHS = {
    "Global": {"seed": 0, "device": "cpu"},
    "Data": {"name": "cifar10-mini", "image_size": 8, "train": 60, "held_out": 40},
    "Width": {
        "network": "resnet20", "candidates": [1, 2, 3], "budget_macs": 20000,
        "budget_range": [0.8, 1.0],
    },
    "Supernet": {
        "epochs": 2, "warmup_epochs": 1, "batch_size": 20, "pad_crop": 1, "projection_rate": 2.0
    },
    "Controller": {"decode_beams": 2, "decode_samples": 2},
    "Network": {"name": "WidthNetwork"},
    "Train": {"epochs": 1, "batch_size": 20, "pad_crop": 1},
}  # fmt: skip
STEPS = {
    "rank": {"architectures": 3, "epochs": 1},
    "alignment": {},
    "train": {"Data": {"train": 80, "held_out": 30}},
    "test": {},
}
MODES = {mode: {"Width": {"mode": mode}} for mode in ("transition", "independent", "random")}


def study(then=STEPS, vary=MODES, **base):
    section = {"job": "supernet", "seeds": [0], "vary": vary, "then": then}
    return Study.resolve(RawConfig({**WIDTHS, **base, "Study": section}))


def test_a_study_of_widths(tmp_path):
    own, told = study(), []
    assert run_study(own, tmp_path, tell=told.append) == []
    results = read_results([tmp_path])
    table = study_table(results)
    values = {row["name"]: row["values"] for row in table["variations"]}
    for column in ("macs", "held_out_accuracy", "test_accuracy"):
        assert all(values[mode][column]["n"] == 1 for mode in MODES)
    for column in ("rank_correlation", "phi", "gradient_cosine"):
        assert values["random"][column]["n"] == 0
    assert values["transition"]["phi_share"]["mean"] < 1
    assert values["independent"]["gradient_cosine"]["mean"] == 0
    text = "\n".join(table_lines(table, results.job.columns, results.job.compared))
    assert "3 stand-alone trainings" in text
    assert "phi_share, %, of transition-0: 100 " in text
    assert "test_accuracy" in text
    again = []
    run_study(own, tmp_path, tell=again.append)  # all of it is there
    assert [line for line in again if "Epoch" in line] == []
    assert any("Epoch" in line for line in told)
    assert study_table(read_results([tmp_path])) == table
    # what is finished is not taken for something else
    other = study({**STEPS, "rank": {"architectures": 3, "epochs": 2}})
    with pytest.raises(StoreError, match="standalone/00 holds another run: its Train differs"):
        run_study(other, tmp_path)


def test_the_known_architectures_are_the_same_for_all():
    config = study().config(study().runs[0])
    known = known_architectures(config, 3)
    assert len(set(known)) == 3
    assert known == known_architectures(config, 3)


SEARCH = {
    "Search": {"max_trials": 2, "executor": "inline"},
    "Strategy": {"name": "RandomSearch"},
    "Space": {"name": "CellSpace", "nodes": 2},
    "Network": {"name": "CellNetwork", "width": 4, "cells_per_stage": 1, "stages": 1},
    "Evaluator": {"name": "TokenCount"},
    "Data": {"name": "cifar10-mini", "image_size": 8, "train": 40, "held_out": 40},
    "Train": {"epochs": 1, "batch_size": 20, "pad_crop": 1},
}


def test_the_best_of_a_search_is_trained_and_tested(tmp_path):
    base = {**SEARCH, "Study": {"seeds": [3], "then": ["train", "test"]}}
    run_study(Study.resolve(RawConfig(base)), tmp_path)
    (outcome,) = read_results([tmp_path]).outcomes
    assert {"held_out_accuracy", "test_accuracy"} <= outcome.values.keys()
    assert (tmp_path / "run-3" / "trained" / "test.json").exists()


def test_what_was_best_stays_trained_where_a_search_goes_on(tmp_path):
    def of_trials(trials):
        base = {**SEARCH, "Search": {**SEARCH["Search"], "max_trials": trials}}
        section = {"seeds": [3], "then": ["train", "test"]}
        return Study.resolve(RawConfig({**base, "Study": section}))

    folder = tmp_path / "run-3"
    run_study(of_trials(1), tmp_path)
    first = (folder / "trained" / "architecture.json").read_text()
    told = []
    assert run_study(of_trials(40), tmp_path, tell=told.append) == []
    assert json.loads((folder / "best.json").read_text()) != json.loads(first)
    assert (folder / "trained" / "architecture.json").read_text() == first
    assert any("its search has gone on to trial-" in line for line in told)
    assert not any("Epoch" in line for line in told)


def again(options):
    then = {"again": options, "train": {"Train": {"epochs": 2}}}
    return Study.resolve(RawConfig({**SEARCH, "Study": {"seeds": [3], "then": then}}))


def test_the_best_are_trained_again_and_the_best_on_average_is_taken(tmp_path):
    """The chosen one is that of the highest mean over the seeds, whatever the search thought."""
    run_study(again({"top": 2, "seeds": 2}), tmp_path)
    folder = tmp_path / "run-3"
    means = {}
    for name in ("trial-0000", "trial-0001"):
        rewards = []
        for seed in (0, 1):
            metrics = json.loads((folder / "again" / f"{name}-{seed}" / "metrics.json").read_text())
            rewards.append(metrics["held_out_accuracy"])
        means[name] = sum(rewards) / 2
    chosen = json.loads((folder / "again.json").read_text())
    assert chosen["means"] == pytest.approx(means)
    assert chosen["chosen"] == max(means, key=means.get)
    trained = json.loads((folder / "trained" / "architecture.json").read_text())
    assert trained == chosen["architecture"]
    results = read_results([tmp_path])
    (outcome,) = results.outcomes
    assert outcome.values["reward_again"] == pytest.approx(max(means.values()))
    lines = table_lines(study_table(results), results.job.columns, results.job.compared)
    assert "reward_again" in "\n".join(lines)
    told = []
    run_study(again({"top": 2, "seeds": 2}), tmp_path, tell=told.append)
    assert not any("Epoch" in line for line in told)
    chosen.pop("candidates")  # as earlier versions wrote it
    (folder / "again.json").write_text(json.dumps(chosen))
    run_study(again({"top": 2, "seeds": 2}), tmp_path, tell=told.append)
    assert not any("Epoch" in line for line in told)


def test_where_a_search_goes_on_its_new_best_are_trained_again(tmp_path):
    def of_trials(trials, *more):
        base = {**SEARCH, "Search": {**SEARCH["Search"], "max_trials": trials}}
        then = {"again": {"top": 3, "seeds": 1}, **{step: {} for step in more}}
        return Study.resolve(RawConfig({**base, "Study": {"seeds": [3], "then": then}}))

    def again():
        return set(json.loads((tmp_path / "run-3" / "again.json").read_text())["means"])

    run_study(of_trials(1), tmp_path)
    assert again() == {"trial-0000"}
    run_study(of_trials(2, "train"), tmp_path)
    assert again() == {"trial-0000", "trial-0001"}
    told = []
    assert run_study(of_trials(3, "train"), tmp_path, tell=told.append) == []
    assert again() == {"trial-0000", "trial-0001"}  # what is trained in full is of these
    assert any("its search has gone on; trained stays" in line for line in told)


def test_a_search_without_a_result_is_told_and_the_others_are_done(tmp_path):
    then = {"again": {"top": 1, "seeds": 1}}
    bad = {"Evaluator": {"name": "TrainEvaluator"}, "Train": {"learning_rate": 1e30}}
    base = {**SEARCH, "Study": {"seeds": [3], "then": then, "vary": {"bad": bad, "good": {}}}}
    (failure,) = run_study(Study.resolve(RawConfig(base)), tmp_path)
    assert failure.startswith("bad-3: no trial of it was completed; `autodl report")
    assert (tmp_path / "good-3" / "again.json").exists()


@pytest.mark.parametrize("options, message", [({"top": 0}, "again.top"), ({"of": 3}, "again.of")])
def test_how_often_to_train_again_is_checked(options, message):
    with pytest.raises(ConfigError, match=message):
        again(options)
