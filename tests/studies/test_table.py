"""The table of a study against NumPy and hand counts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.studies.jobs import JOBS
from autodl.studies.outcome import Outcome, Trials
from autodl.studies.plot import draw_study
from autodl.studies.results import Results
from autodl.studies.table import (
    check_columns,
    expanded,
    group_searches,
    pairs,
    study_table,
    table_lines,
)
from autodl.tasks.task import ABSOLUTE_ERROR

NAN = float("nan")


def search(name, seed, rewards, seconds=1.0):
    return Outcome(name, seed, {}, Trials(tuple(rewards), (seconds,) * len(rewards)))


def table_of(*outcomes, control=None, job="search", notes=()):
    return study_table(Results(JOBS[job], tuple(outcomes), control, notes))


def lines_of(table, job="search"):
    return table_lines(table, JOBS[job].columns, JOBS[job].compared)


def test_means_deviations_and_paired_differences():
    after = {0: [0.60, 0.50, 0.58], 1: [0.62, 0.56, 0.57], 2: [0.64, 0.53, 0.62]}
    names = ["bayesian", "uniform-2", "search-1x"]
    table = table_of(
        *(
            Outcome(name, seed, {"accuracy_after": value, "average_bits": 2.5 + 0.1 * seed})
            for seed, row in after.items()
            for name, value in zip(names, row, strict=True)
        ),
        control="bayesian",
        job="compress",
    )
    assert [row["name"] for row in table["variations"]] == names
    for place, row in enumerate(table["variations"]):
        own = [values[place] for values in after.values()]
        found = row["values"]["accuracy_after"]
        # float64: a few roundings of numbers below 1
        assert found["mean"] == pytest.approx(np.mean(own), abs=1e-12)
        assert found["sd"] == pytest.approx(np.std(own, ddof=1), abs=1e-12)
        assert row["values"]["average_bits"]["mean"] == pytest.approx(2.6)
        assert row["seeds"] == [0, 1, 2]
    (difference,) = [
        row
        for row in table["differences"]
        if (row["first"], row["column"]) == ("uniform-2", "accuracy_after")
    ]
    assert difference["second"] == "bayesian"
    assert difference["mean"] == pytest.approx(np.mean([-0.10, -0.06, -0.11]))
    assert (difference["losses"], difference["seeds"]) == (3, 3)
    text = "\n".join(lines_of(table, "compress"))
    assert "0.6200 ± 0.0200" in text
    assert "accuracy_after, uniform-2 - bayesian: -0.0900 [" in text
    assert "average_bits, " not in text  # the same everywhere
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_what_is_compared_with_what():
    assert pairs(["a", "b", "c"], None) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairs(["a", "b", "c"], "b") == [("a", "b"), ("c", "b")]
    assert pairs(["a", "c"], "b") == [("a", "c")]  # the control has not run yet


def test_one_seed_has_neither_deviation_nor_interval():
    table = table_of(
        Outcome("a", 0, {"held_out_accuracy": 0.5}),
        Outcome("b", 0, {"held_out_accuracy": 0.4, "test_rmse": 2.0}),
        job="train",
    )
    assert table["variations"][0]["values"]["held_out_accuracy"]["sd"] is None
    assert table["variations"][0]["values"]["test_rmse"]["n"] == 0
    text = "\n".join(lines_of(table, "train"))
    assert "±" not in text.partition("\n")[2]
    assert "held_out_accuracy, a - b: +0.1000 (one seed: no interval)" in text
    assert "test_rmse" in text


def test_metrics_of_a_task_are_shown_whichever_they_are():
    known = ["held_out_rmse", "held_out_loss", "held_out_windows", "seconds", "test_rmse"]
    assert expanded(["held_out_*", "test_*", "macs"], known) == ["held_out_rmse", "test_rmse"]


def test_searches_are_compared_by_the_same_seeds_and_trials():
    first = [search("a", seed, [0.1, 0.2 + seed, 9.0]) for seed in (0, 1, 2)]
    second = [search("b", seed, [0.0, 0.1], 2.0) for seed in (2, 1, 7)]
    table = table_of(*first, *second)
    assert table["trials"] == 2
    (row,) = [row for row in table["differences"] if row["column"] == "reward"]
    assert (row["seeds"], row["wins"]) == (2, 2)
    assert row["mean"] == pytest.approx((1.1 + 2.1) / 2)
    assert table["variations"][1]["seeds"] == [1, 2, 7]
    assert "reward, a - b: +1.6000" in "\n".join(lines_of(table))
    assert group_searches(second)["b"].seconds.tolist() == [[2.0, 4.0]] * 3


def test_metrics_are_those_of_the_best_trial():
    metrics = ({"parameters": 10.0, "seconds": 5.0}, {"parameters": 30.0}, {"parameters": 20.0})
    trials = Trials((0.1, NAN, 0.4), (1.0, 2.0, 3.0), metrics)
    assert trials.values() == {"reward": 0.4, "parameters": 20.0, "seconds": 6.0}
    nothing = Trials((NAN,), (1.0,), ({"parameters": 10.0},)).values()
    assert math.isnan(nothing["reward"])
    assert "parameters" not in nothing
    table = table_of(Outcome("a", 0, {}, trials), Outcome("b", 0, {}, trials.first(1)))
    values = table["variations"][0]["values"]
    assert (values["parameters"]["mean"], values["reward"]["mean"]) == (10.0, 0.1)


def test_what_was_trained_in_full_has_its_own_numbers():
    """Not those of the trial, which was shorter and has some by the same names."""
    trials = Trials((0.4,), (1.0,), ({"held_out_loss": 2.0, "parameters": 10.0},))
    outcome = Outcome("a", 0, {"held_out_loss": 0.5, "held_out_accuracy": 0.8}, trials)
    values = table_of(outcome, search("b", 0, [0.1]))["variations"][0]["values"]
    found = {name: values[name]["mean"] for name in ("held_out_loss", "parameters", "reward")}
    assert found == {"held_out_loss": 0.5, "parameters": 10.0, "reward": 0.4}


def test_of_errors_the_lowest_is_the_best_and_nothing_is_negative():
    def searched(name, rewards, accuracy):
        metrics = {"held_out_absolute_error": 9.0, "accuracy": accuracy}
        trials = Trials(tuple(rewards), (1.0,) * 3, (metrics,) * 3, ABSOLUTE_ERROR, ABSOLUTE_ERROR)
        # what it came to when it was trained in full is another error
        return Outcome(name, 0, {"held_out_absolute_error": 0.1}, trials)

    outcomes = searched("a", [-0.5, -0.25, -0.5], -0.25), searched("b", [-0.75, -0.5, -1.0], -0.5)
    table = table_of(*outcomes)
    first = table["variations"][0]["values"]
    assert first["absolute_error"]["mean"] == 0.25
    assert first["held_out_absolute_error"]["mean"] == 0.1
    assert not {"reward", "accuracy"} & {*table["columns"]}
    (reached,) = table["reached"]
    assert reached["by_seed"][0]["level"] == 0.5
    assert reached["by_seed"][0]["first_trials"] == 1
    results = Results(JOBS["search"], outcomes, None)
    text = "\n".join(table_lines(table, results.columns, results.compared))
    assert "absolute_error, a - b: -0.2500" in text
    assert "trials to the mae that both reach" in text
    assert "-1.0 (one seed: no interval), 1 sooner / 0 equal" in text
    assert "reward" not in text
    left, _ = draw_study(results).axes
    assert left.get_ylabel().startswith("best mae so far")
    assert left.lines[0].get_ydata().tolist() == [0.5, 0.25, 0.25]


def test_trials_to_the_same_reward_are_told_seed_by_seed():
    first = [search("a", seed, [0.1, 0.4, 0.6]) for seed in (3, 5)]
    second = [search("b", 3, [0.3, 0.2, 0.5]), search("b", 5, [0.7] * 3)]
    table = table_of(*first, *second)
    (reached,) = table["reached"]
    names = ["seed", "first_best", "second_best", "level", "first_trials", "second_trials"]
    assert [[row[name] for name in names] for row in reached["by_seed"]] == [
        [3, 0.6, 0.5, 0.5, 3, 3],
        [5, 0.6, 0.7, 0.6, 3, 1],
    ]
    assert (reached["mean"], reached["ties"], reached["wins"]) == (1.0, 1, 1)
    lines = lines_of(table)
    assert "trials to the reward that both reach, a - b:" in lines
    assert lines[-1].split() == ["5", "0.6000", "0.7000", "0.6000", "3", "1"]
    many = [search(name, seed, [0.5]) for name in "ab" for seed in range(20)]
    lines = lines_of(table_of(*many))
    assert any(line.endswith("0 sooner / 20 equal / 0 later") for line in lines)
    assert not any("after trials" in line for line in lines)


def test_seeds_without_a_success_are_counted():
    first = [search("a", seed, [0.5 if seed else NAN]) for seed in (0, 1, 2)]
    second = [search("b", seed, [0.25]) for seed in (0, 1, 2)]
    text = "\n".join(lines_of(table_of(*first, *second)))
    assert "reward, a - b: +0.2500" in text
    assert "(1 seed left out: no number)" in text
    assert "0.5000 ± 0.0000 (n = 2)" in text  # of three seeds
    assert "0.2500 ± 0.0000 (n" not in text


def test_a_search_without_trials_is_refused():
    with pytest.raises(ConfigError, match="a search of b has no finished trial"):
        table_of(search("a", 0, [0.1]), search("b", 0, []))


def test_unknown_columns_are_refused():
    table = table_of(search("a", 0, [0.1]), notes=("as it is",))
    with pytest.raises(ConfigError, match=r"no column 'rewrd'\. Did you mean 'reward'"):
        check_columns(table, ["rewrd"])
    assert lines_of(table)[-1] == "as it is"
