"""Searches side by side: from run folders, or simulated on a table, to a table and a plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autodl.drawing.curves import Group
from autodl.errors import ConfigError
from autodl.jobs.search.parts import (
    check_plan,
    load_search,
    make_evaluator,
    make_limits,
    make_space,
    make_strategy,
)
from autodl.jobs.search.source import find_source
from autodl.reports.run import read_run
from autodl.search.likeness import INHERITANCE, differences, known_plugins, setting_part
from autodl.spaces.space import canonical_form
from autodl.studies.strategies.simulate import simulate
from autodl.studies.strategies.statistics import (
    Curves,
    best_so_far,
    compare_paired,
    trials_to_reach,
)
from autodl.trial import Architecture, Trial, TrialState

_FEW = 12  # seeds whose numbers are shown one by one


@dataclass(frozen=True, slots=True)
class Search:
    """One search: which strategy (and settings), its seed, and reward and seconds per trial."""

    group: str
    seed: int
    rewards: list[float]
    seconds: list[float]


def read_searches(runs: Sequence[Path]) -> list[Search]:
    """Searches from run folders, grouped by strategy name (and its options where they differ).

    Whether children inherit counts as an option of the strategy; where transfers start from does
    not matter, since each seed may have a source of its own.

    Raises:
        StoreError: a folder holds no run.
        ConfigError: two runs differ in what is searched, trained or scored.
    """
    found, strategies = [], []
    setting: tuple[Path, dict[str, Any]] | None = None
    for run in runs:
        report = read_run(run)
        manifest = report["manifest"]
        identity = manifest["identity"]
        inherits = {f"Train.{key}": identity["Train"].get(key, False) for key in INHERITANCE}
        strategies.append({**identity["Strategy"], **inherits})
        seed = identity["Global"]["seed"]
        alike = setting_part(identity, known_plugins(manifest))
        if setting is not None and setting[1] != alike:
            raise ConfigError(
                f"{setting[0]} and {run} differ in more than strategy and seed:"
                f" {', '.join(differences(setting[1], alike))}"
            )
        setting = (run, alike)
        done = [t for t in report["trials"] if TrialState(t["state"]).finished]
        # a training in part does not compare with a whole one
        rewards = [t["reward"] if t["state"] == "COMPLETE" else float("nan") for t in done]
        found.append((seed, rewards, [t["seconds"] for t in done]))
    names = [_label(strategy, strategies) for strategy in strategies]
    return [Search(name, *rest) for name, rest in zip(names, found, strict=True)]


def _label(strategy: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    """The strategy's name, with the options in which runs of that name differ."""
    alike = [other for other in others if other["name"] == strategy["name"]]
    differing = [
        f"{key}={value}"
        for key, value in strategy.items()
        if any(other.get(key) != value for other in alike)
    ]
    return " ".join([strategy["name"], *differing])


def simulate_searches(
    config: Path | str, overrides: Sequence[str], *, trials: int, seeds: Sequence[int], name: str
) -> Iterator[Search]:
    """Searches in memory with an evaluator that needs no training (a table, a synthetic one).

    Raises:
        ConfigError: the config trains, has stages or objectives that nothing tells or meets.
    """
    for seed in seeds:
        checked = load_search(config, [*overrides, f"Global.seed={seed}"])
        if checked.evaluator.entry.trains:
            raise ConfigError(f"{config} trains networks; simulate with a table as Evaluator")
        if checked.fidelity is not None:
            raise ConfigError(
                f"{config} has section Fidelity, and a simulation has no stages; leave it out"
            )
        space = make_space(checked)
        check_plan(checked, space, None)
        source = find_source(checked, space)
        strategy = make_strategy(checked, space, source.architecture if source else None)
        limits = make_limits(checked, space, None)
        evaluator = make_evaluator(checked)
        done = list(simulate(strategy, evaluator, trials=trials, seed=seed, limits=limits))
        yield Search(
            group=name,
            seed=seed,
            rewards=[float("nan") if trial.reward is None else trial.reward for trial in done],
            seconds=_seconds(done, canonical_form(space)),
        )


def _seconds(
    trials: Sequence[Trial], canonical: Callable[[Architecture], Architecture]
) -> list[float]:
    """What each trial took when it was trained; 0 where a search has that result already."""
    seconds, seen = [], set[Architecture]()
    for trial in trials:
        form = canonical(trial.architecture)
        took = trial.evaluation.metrics.get("seconds") if trial.evaluation else None
        seconds.append(0.0 if form in seen else trial.seconds if took is None else took)
        seen.add(form)
    return seconds


def group_searches(searches: Sequence[Search]) -> dict[str, Group]:
    """Best so far by strategy, cut to the trials that all its searches have; seeds in order."""
    groups = {}
    for name in dict.fromkeys(search.group for search in searches):
        members = sorted((s for s in searches if s.group == name), key=lambda s: s.seed)
        trials = min(len(member.rewards) for member in members)
        if not trials:
            raise ConfigError(f"a search of {name} has no finished trial; nothing to compare")
        rewards = np.array([member.rewards[:trials] for member in members])
        seconds = np.array([member.seconds[:trials] for member in members])
        groups[name] = Group(best_so_far(rewards), seconds.cumsum(axis=1))
    return groups


def summary(searches: Sequence[Search]) -> dict[str, Any]:
    """Mean and spread of the best reward of every strategy, and paired tests between them.

    Pairs are of the same seed; strategies are compared after as many trials as both have.
    """
    groups = group_searches(searches)
    result: dict[str, Any] = {"strategies": [], "differences": []}
    for name, group in groups.items():
        last = group.best[:, -1]
        result["strategies"].append(
            {
                "name": name,
                "seeds": len(last),
                "trials": group.best.shape[1],
                "best_mean": float(np.nanmean(last)),
                "best_std": float(np.nanstd(last, ddof=1)) if len(last) > 1 else None,
                "best_median": float(np.nanmedian(last)),
                "seconds_mean": float(group.seconds[:, -1].mean()),
            }
        )
    seeds = {n: sorted(s.seed for s in searches if s.group == n) for n in groups}
    for first, second in combinations(groups, 2):
        shared = [seed for seed in seeds[first] if seed in seeds[second]]
        if not shared:
            continue
        trials = min(groups[first].best.shape[1], groups[second].best.shape[1])
        curves = [
            groups[n].best[[seeds[n].index(seed) for seed in shared], :trials]
            for n in (first, second)
        ]
        result["differences"].append(
            {
                "first": first,
                "second": second,
                "trials": trials,
                "seeds": len(shared),
                **asdict(compare_paired(*(best[:, -1].tolist() for best in curves))),
                "reached": _reached(shared, *curves),
            }
        )
    return result


def _reached(seeds: Sequence[int], first: Curves, second: Curves) -> dict[str, Any]:
    """Trials until either search has the reward that the weaker one of its seed ends with."""
    levels = np.minimum(first[:, -1], second[:, -1])
    after = [trials_to_reach(best, levels) for best in (first, second)]
    rows = zip(seeds, first[:, -1], second[:, -1], levels, *after, strict=True)
    names = ("seed", "first_best", "second_best", "level", "first_trials", "second_trials")
    return {
        "by_seed": [dict(zip(names, map(float, row), strict=True)) for row in rows],
        **asdict(compare_paired(*(trials.tolist() for trials in after))),
    }


def summary_lines(result: dict[str, Any]) -> list[str]:
    """The summary as lines for people."""
    lines = ["best reward after all trials:"]
    for row in result["strategies"]:
        spread = "" if row["best_std"] is None else f" ± {row['best_std']:.4f}"
        lines.append(
            f"  {row['name']}: {row['best_mean']:.4f}{spread} (median {row['best_median']:.4f};"
            f" {row['seeds']} seeds, {row['trials']} trials, {row['seconds_mean']:.0f} s)"
        )
    if result["differences"]:
        lines.append("paired by seed (mean difference, 95 % interval, Wilcoxon p):")
    lines += [
        f"  {row['first']} - {row['second']}: {row['mean']:+.4f}"
        f" [{row['low']:+.4f}, {row['high']:+.4f}], p = {row['p']:.2g},"
        f" {row['wins']} better / {row['ties']} equal / {row['losses']} worse"
        f" after {row['trials']} trials"
        + (f" ({row['left_out']} seeds left out: no success)" if row["left_out"] else "")
        for row in result["differences"]
    ]
    return [*lines, *(line for row in result["differences"] for line in _reached_lines(row))]


def _reached_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Of two strategies: trials to the same reward, seed by seed if these are few."""
    reached = row["reached"]
    yield f"trials to the reward that both reach, {row['first']} - {row['second']}:"
    yield (
        f"  {reached['mean']:+.1f} [{reached['low']:+.1f}, {reached['high']:+.1f}],"
        f" p = {reached['p']:.2g}, {reached['losses']} sooner / {reached['ties']} equal /"
        f" {reached['wins']} later"
    )
    if len(reached["by_seed"]) > _FEW:
        return
    yield "  seed  best reward of both  both reach  after trials"
    for seed in reached["by_seed"]:
        yield (
            f"  {seed['seed']:>4.0f}  {seed['first_best']:>9.4f}  {seed['second_best']:>9.4f}"
            f"  {seed['level']:>10.4f}  {seed['first_trials']:>5.0f}  {seed['second_trials']:>5.0f}"
        )
