"""Comparing runs and simulations: grouping, pairing, refusals, and the tool."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autodl.drawing.curves import draw_comparison
from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.studies.strategies import table as comparison_report
from autodl.studies.strategies.table import (
    Search,
    group_searches,
    read_searches,
    simulate_searches,
    summary,
    summary_lines,
)

TOOL = Path(__file__).parents[3] / "tools" / "compare.py"
TABLE = "search/cell-agent-table.yaml"
RANDOM = [
    "Strategy.name=RandomSearch",
    "Search.executor=inline",
    "Search.max_trials=6",
    "Space.nodes=3",
]


def run(folder, *overrides):
    run_search(load_search("search/cell-agent-tokens.yaml", [*RANDOM, *overrides]), folder)
    return folder


def test_runs_are_grouped_by_strategy_and_paired_by_seed(tmp_path):
    runs = [run(tmp_path / str(seed), f"Global.seed={seed}") for seed in (0, 1)]
    searches = read_searches(runs)
    assert [(s.group, s.seed, len(s.rewards)) for s in searches] == [
        ("RandomSearch", 0, 6),
        ("RandomSearch", 1, 6),
    ]
    result = summary(searches)
    ends = [max(search.rewards) for search in searches]
    assert result["strategies"][0]["best_mean"] == np.mean(ends)
    assert result["strategies"][0]["best_std"] == pytest.approx(np.std(ends, ddof=1))
    assert result["differences"] == []


def test_runs_of_different_spaces_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="differ in more than strategy and seed"):
        read_searches([run(tmp_path / "a"), run(tmp_path / "b", "Space.nodes=2")])


def test_differences_are_of_the_same_seeds_and_trials():
    first = [Search("a", seed, [0.1, 0.2 + seed, 9.0], [1.0] * 3) for seed in (0, 1, 2)]
    second = [Search("b", seed, [0.0, 0.1], [2.0] * 2) for seed in (2, 1, 7)]
    result = summary([*first, *second])
    (row,) = result["differences"]
    assert (row["seeds"], row["trials"], row["wins"]) == (2, 2, 2)
    assert row["mean"] == pytest.approx((1.1 + 2.1) / 2)
    assert "a - b: +1.6000" in "\n".join(summary_lines(result))
    assert group_searches(second)["b"].seconds.tolist() == [[2.0, 4.0]] * 3


def test_trials_to_the_same_reward_are_told_seed_by_seed():
    first = [Search("a", seed, [0.1, 0.4, 0.6], [1.0] * 3) for seed in (3, 5)]
    second = [Search("b", 3, [0.3, 0.2, 0.5], [1.0] * 3), Search("b", 5, [0.7] * 3, [1.0] * 3)]
    result = summary([*first, *second])
    reached = result["differences"][0]["reached"]
    names = ["seed", "first_best", "second_best", "level", "first_trials", "second_trials"]
    assert [[row[name] for name in names] for row in reached["by_seed"]] == [
        [3, 0.6, 0.5, 0.5, 3, 3],
        [5, 0.6, 0.7, 0.6, 3, 1],
    ]
    assert (reached["mean"], reached["ties"], reached["wins"]) == (1.0, 1, 1)
    lines = summary_lines(result)
    assert "trials to the reward that both reach, a - b:" in lines
    assert lines[-1].split() == ["5", "0.6000", "0.7000", "0.6000", "3", "1"]
    many = [Search(name, seed, [0.5], [1.0]) for name in "ab" for seed in range(20)]
    lines = summary_lines(summary(many))
    assert any(line.endswith("0 sooner / 20 equal / 0 later") for line in lines)
    assert not any("after trials" in line for line in lines)


def test_runs_that_inherit_compare_with_those_that_do_not(tmp_path, monkeypatch):
    """And transfers with searches from scratch, whatever each started from."""
    train = {"epochs": 1}
    manifests = {
        "a": {"Strategy": {"name": "Evolution"}, "Train": {**train, "inherit": True}},
        "b": {"Strategy": {"name": "Evolution"}, "Train": train},
        "c": {"Strategy": {"name": "ElasticTransfer"}, "Train": train, "Source": {"kind": "x"}},
    }

    def read(run):
        identity = {"Global": {"seed": 4}, **manifests[run.name]}
        return {"manifest": {"identity": identity}, "trials": []}

    monkeypatch.setattr(comparison_report, "read_run", read)
    groups = [search.group for search in read_searches([Path(name) for name in "abc"])]
    assert groups == ["Evolution Train.inherit=True", "Evolution Train.inherit=False", groups[2]]
    assert groups[2].startswith("ElasticTransfer")
    manifests["b"]["Train"] = {"epochs": 2}
    with pytest.raises(ConfigError, match="differ in more"):
        read_searches([Path("a"), Path("b")])


def test_failed_trials_count_as_nothing():
    groups = group_searches([Search("a", 0, [float("nan"), 0.5], [1.0, 1.0])])
    np.testing.assert_array_equal(groups["a"].best, [[np.nan, 0.5]])
    assert len(draw_comparison(groups).axes) == 2


def test_simulating_a_training_is_refused():
    with pytest.raises(ConfigError, match="trains networks"):
        next(simulate_searches("search/demo.yaml", [], trials=1, seeds=[0], name="x"))


def refused(*overrides):
    given = ["Strategy={name: RandomSearch}", *overrides]
    with pytest.raises(ConfigError) as caught:
        next(simulate_searches(TABLE, given, trials=5, seeds=[0], name="x"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_simulating_what_cannot_be_simulated_is_refused():
    assert "has section Fidelity, and a simulation has no stages" in refused("Fidelity={}")
    wanted = "Objectives names 'watts', which the evaluator does not tell; it tells accuracy, "
    assert wanted in refused("Objectives={minimise: [watts]}")
    assert "parameters <= 1 (smallest found" in refused("Objectives={limits: {parameters: 1}}")


def test_simulated_searches_keep_to_the_limits(monkeypatch):
    seen, real = [], comparison_report.simulate

    def spy(*given, **options):
        for trial in real(*given, **options):
            seen.append(trial)
            yield trial

    monkeypatch.setattr(comparison_report, "simulate", spy)
    free = ["Strategy={name: RandomSearch}"]
    next(simulate_searches(TABLE, free, trials=20, seeds=[0], name="x"))
    sizes = sorted(trial.evaluation.metrics["macs"] for trial in seen)
    seen.clear()
    most = sizes[10]
    limited = [*free, f"Objectives={{limits: {{macs: {most}}}}}"]
    next(simulate_searches(TABLE, limited, trials=20, seeds=[0], name="x"))
    assert len(seen) == 20
    assert all(trial.evaluation.metrics["macs"] <= most for trial in seen)


def test_tool_simulates_each_config_with_its_overrides(tmp_path):
    command = [
        *(sys.executable, str(TOOL), "--simulate", "search/cell-agent-tokens.yaml"),
        *("-o", "Strategy.name=RandomSearch", "-o", "Space.nodes=2"),
        *("--simulate", "search/cell-agent-tokens.yaml", "-o", "Strategy={name: RandomSearch}"),
        *("--seeds", "3", "--trials", "5", "--json", "--out", str(tmp_path / "plot.svg")),
    ]
    result = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    small, large = result["strategies"]
    assert (small["seeds"], small["trials"]) == (3, 5)
    assert small["best_mean"] <= 4 < 20 >= large["best_mean"]
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")


def test_tool_wants_something_to_compare():
    done = subprocess.run([sys.executable, str(TOOL)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "give run folders" in done.stderr


def test_seeds_that_are_left_out_are_counted():
    first = [Search("a", seed, [0.5 if seed else float("nan")], [1.0]) for seed in (0, 1, 2)]
    second = [Search("b", seed, [0.25], [1.0]) for seed in (0, 1, 2)]
    text = "\n".join(summary_lines(summary([*first, *second])))
    assert "a - b: +0.2500" in text
    assert "after 1 trials (1 seeds left out: no success)" in text
