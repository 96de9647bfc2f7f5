"""Tuning on half of the seeds."""

from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from autodl.errors import AutoDLError
from autodl.studies.strategies.table import Search
from autodl.studies.strategies.tuning import combinations_of, mean_best_so_far, tune

NAN = float("nan")


def test_every_choice_of_values_comes_once():
    assert combinations_of({}) == [()]
    assert combinations_of({"A.x": ["1", "2"], "B.y": ["3"]}) == [
        ("A.x=1", "B.y=3"),
        ("A.x=2", "B.y=3"),
    ]


def test_the_score_is_the_mean_of_the_best_so_far():
    searches = [
        Search("", 0, [0.1, 0.3, 0.2], [1.0] * 3),  # best so far 0.1, 0.3, 0.3
        Search("", 1, [NAN, 0.5, 0.6], [1.0] * 3),  # 0.5, 0.6
    ]
    assert mean_best_so_far(searches) == pytest.approx((0.1 + 0.3 + 0.3 + 0.5 + 0.6) / 5)
    assert np.isnan(mean_best_so_far([Search("", 0, [NAN], [1.0])]))


def test_the_best_choice_comes_first_and_seeds_decide_everything():
    # more nodes can hold more of the counted token, whatever the seed
    arguments = (
        "search/cell-agent-tokens.yaml",
        ["Strategy={name: RandomSearch}"],
        {"Space.nodes": ["2", "12", "6"]},
    )
    seen = []
    found = tune(*arguments, trials=20, seeds=[3, 4], progress=lambda *news: seen.append(news))
    assert [c.overrides for c in found] == [
        ("Space.nodes=12",),
        ("Space.nodes=6",),
        ("Space.nodes=2",),
    ]
    assert [(done, count) for done, count, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert found == tune(*arguments, trials=20, seeds=[3, 4], workers=2)


def test_a_worker_process_that_dies_is_an_error_of_one_line(monkeypatch):
    def broken(self, function, choices):
        yield 0.5
        raise BrokenProcessPool("A process in the process pool was terminated abruptly")

    monkeypatch.setattr("autodl.studies.strategies.tuning.ProcessPoolExecutor.map", broken)
    with pytest.raises(AutoDLError, match=r"one of the 2 worker .* after 1 of 3 choices") as error:
        tune("x", [], {"A.x": ["1", "2", "3"]}, trials=1, seeds=[0], workers=2)
    assert "\n" not in str(error.value)
