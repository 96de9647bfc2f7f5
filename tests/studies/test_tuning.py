"""Tuning on half of the seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autodl.config.reading import RawConfig, load_config
from autodl.studies.outcome import Trials
from autodl.studies.tuning import combinations_of, mean_best_so_far, sections_of, tune

NAN = float("nan")


def test_every_choice_of_values_comes_once():
    assert combinations_of({}) == [{}]
    assert combinations_of({"A.x": [1, 2], "B.y": [3]}) == [
        {"A.x": 1, "B.y": 3},
        {"A.x": 2, "B.y": 3},
    ]
    assert sections_of({"A.x": 1, "B.y": 3, "A.z": [4]}) == {"A": {"x": 1, "z": [4]}, "B": {"y": 3}}


def test_the_score_is_the_mean_of_the_best_so_far():
    searches = [
        Trials((0.1, 0.3, 0.2), (1.0,) * 3),  # best so far 0.1, 0.3, 0.3
        Trials((NAN, 0.5, 0.6), (1.0,) * 3),  # 0.5, 0.6
    ]
    assert mean_best_so_far(searches) == pytest.approx((0.1 + 0.3 + 0.3 + 0.5 + 0.6) / 5)
    assert np.isnan(mean_best_so_far([Trials((NAN,), (1.0,))]))


def test_the_best_choice_comes_first_and_seeds_decide_everything():
    # more nodes can hold more of the counted token, whatever the seed
    overrides = ["Strategy={name: RandomSearch}", "Search.max_trials=20"]
    raw = load_config(Path("search/cell-agent-tokens.yaml"), overrides)
    seen = []
    found = tune(raw, {"Space.nodes": [2, 12, 6]}, [3, 4], tell=seen.append)
    assert [candidate.values["Space.nodes"] for candidate in found] == [12, 6, 2]
    assert [line.split(":")[0] for line in seen] == ["tuning 1/3", "tuning 2/3", "tuning 3/3"]
    assert found == tune(raw, {"Space.nodes": [2, 12, 6]}, [3, 4], workers=2)


def test_a_target_cuts_no_curve_that_choices_are_told_apart_by():
    raw = load_config(
        Path("search/cell-agent-tokens.yaml"),
        ["Strategy={name: RandomSearch}", "Search.max_trials=20"],
    )
    early = raw.merged(RawConfig({"Search": {"target_reward": 0.1}}))
    assert tune(early, {"Space.nodes": [2, 6]}, [3]) == tune(raw, {"Space.nodes": [2, 6]}, [3])
