"""The pool of a search: scored once, kept, read again, refused where it is damaged."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest
import yaml

from autodl.errors import ConfigError, StoreError
from autodl.evaluation.zero_cost import scorer as scoring
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.runs.folder import POOL, TRIALS
from autodl.runs.store import TrialStore
from autodl.spaces.codec import decode_architecture, encode_text


@pytest.fixture
def config(tmp_path):
    def write(trials=6, **changes):
        values = {
            "Search": {
                "max_trials": trials,
                "executor": "inline",
                "screen": {"scores": ["naswot", "macs"], "pool": 8, "keep": 3, "batch_size": 8},
            },
            "Space": {"name": "EdgeCellSpace"},
            "Network": {"name": "EdgeCellNetwork", "width": 4, "cells": 1},
            "Strategy": {"name": "RandomSearch"},
            "Evaluator": {"name": "ZeroCost", "scores": ["parameters", "naswot"], "batch_size": 4},
            "Data": {"name": "cifar10-mini", "image_size": 8},
            **changes,
        }
        path = tmp_path / "screened.yaml"
        path.write_text(yaml.safe_dump(values))
        return load_search(path)

    return write


def proposed(folder):
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        return [(encode_text(trial.architecture), trial.reward) for trial in store.trials()]


def test_the_best_of_the_pool_are_the_first_trials(tmp_path, config):
    lines = []
    result = run_search(config(), tmp_path / "run", tell=lines.append)
    assert result.finished == 6
    assert lines[-1].startswith("screen: scored 8 of 8 architectures, 0 s left")
    rows = json.loads((tmp_path / "run" / POOL).read_text())["pool"]
    first = proposed(tmp_path / "run")[:3]
    texts = [encode_text(decode_architecture(row["architecture"])) for row in rows]
    assert {text for text, _ in first} < set(texts)
    macs = sorted((row["macs"] for row in rows), reverse=True)
    kept = [row["macs"] for row, text in zip(rows, texts, strict=True) if text in dict(first)]
    assert max(kept) >= macs[1]  # by mean rank with naswot, which is alike


def test_a_run_that_goes_on_is_the_unbroken_one_and_scores_nothing_anew(
    tmp_path, config, monkeypatch
):
    run_search(config(), tmp_path / "whole")
    run_search(config(trials=2), tmp_path / "parts")
    pool = tmp_path / "parts" / POOL
    kept = json.loads(pool.read_text())
    kept["pool"] = kept["pool"][:5]  # as a kill in the middle leaves it
    pool.write_text(json.dumps(kept))
    scored = []
    once = scoring.Scorer.__call__
    monkeypatch.setattr(
        scoring.Scorer, "__call__", lambda self, plan: scored.append(plan) or once(self, plan)
    )
    run_search(config(trials=2), tmp_path / "parts", resume=True)
    assert len(scored) == 3
    run_search(config(), tmp_path / "parts", resume=True)
    assert proposed(tmp_path / "parts") == proposed(tmp_path / "whole")


def test_a_damaged_pool_is_told(tmp_path, config):
    run_search(config(trials=1), tmp_path / "run")
    (tmp_path / "run" / POOL).write_text('{"pool": [{"macs": 3}]}')
    with pytest.raises(StoreError, match=r"screen\.json.*delete it, and the pool is scored anew"):
        run_search(config(), tmp_path / "run", resume=True)


def test_another_screen_is_another_run(tmp_path, config):
    run_search(config(trials=1), tmp_path / "run")
    other = config()
    screen = other.search.screen.model_copy(update={"keep": 4})
    search = other.search.model_copy(update={"screen": screen})
    with pytest.raises(StoreError, match=r"Screen\.keep"):
        run_search(replace(other, search=search), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"Strategy": {"name": "ExhaustiveSearch"}}, "ExhaustiveSearch knows what it proposes"),
        ({"Objectives": {"limits": {"parameters": 1}}}, "0 of 800 drawn architectures would do"),
    ],
)
def test_a_screen_that_does_not_fit_is_refused(tmp_path, config, changes, message):
    with pytest.raises(ConfigError, match=message):
        run_search(config(**changes), tmp_path / "run")
