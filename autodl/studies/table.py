"""The table of a study: means and deviations of every column, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from autodl.drawing.curves import Group
from autodl.errors import ConfigError, did_you_mean
from autodl.studies.outcome import Outcome, comparable
from autodl.studies.results import Results
from autodl.studies.statistics import (
    Spread,
    best_so_far,
    compare_paired,
    trials_to_reach,
)
from autodl.studies.text import signed, spread_text
from autodl.tasks.task import Metric

_COUNTED = ("_loss", "_pictures", "_series", "_windows")  # no metrics of a task
_FEW = 12  # seeds whose numbers are shown one by one


def study_table(results: Results) -> dict[str, Any]:
    """A study as plain values.

    ``variations`` has for each its ``seeds`` and, by column, ``n``, ``mean``, ``sd`` (n - 1) and
    ``median`` of what the seeds came to; ``differences`` those of ``first`` minus ``second`` in a
    column, paired by the seeds that both have, see ``compare_paired``; ``reached`` the trials
    until both searches of a pair have the reward that the weaker one ends with; ``metric`` what is
    shown of a reward; ``runs`` every number. Searches are compared after as many trials as all of
    them have (``trials``), in the columns that are of trials (``trial_columns``). A number that is
    not known is None: a column that a run lacks, a deviation of one seed.
    """
    outcomes = comparable(results.outcomes)
    names = list(dict.fromkeys(outcome.variation for outcome in outcomes))
    columns = list(dict.fromkeys(name for outcome in outcomes for name in outcome.values))
    table = {
        "control": results.control,
        "metric": asdict(results.metric),
        "trials": next((len(o.trials.rewards) for o in outcomes if o.trials), None),
        "trial_columns": sorted({name for o in outcomes if o.trials for name in o.trials.values()}),
        "columns": columns,
        "variations": [_variation(name, outcomes, columns) for name in names],
        "differences": [
            _difference(pair, outcomes, column)
            for pair in pairs(names, results.control)
            if shared_seeds(outcomes, *pair)
            for column in columns
        ],
        "reached": list(_reached_by(outcomes, pairs(names, results.control), results.metric)),
        "notes": list(results.lines),
        "runs": [outcome.to_json() for outcome in outcomes],
    }
    found: dict[str, Any] = _known(table)
    return found


def pairs(names: Sequence[str], control: str | None) -> list[tuple[str, str]]:
    """What is compared: each with the control, or every two where there is none."""
    if control is None or control not in names:
        return list(combinations(names, 2))
    return [(name, control) for name in names if name != control]


def column_of(outcomes: Sequence[Outcome], variation: str, column: str) -> dict[int, float]:
    """A column of one variation by seed, NaN where a run lacks it; seeds in order."""
    own = sorted((o for o in outcomes if o.variation == variation), key=lambda o: o.seed)
    return {outcome.seed: outcome.values.get(column, math.nan) for outcome in own}


def shared_seeds(outcomes: Sequence[Outcome], first: str, second: str) -> list[int]:
    """Seeds that both variations have run with."""
    seeds = [{o.seed for o in outcomes if o.variation == name} for name in (first, second)]
    return sorted(seeds[0] & seeds[1])


def _variation(name: str, outcomes: Sequence[Outcome], columns: Sequence[str]) -> dict[str, Any]:
    values = {column: column_of(outcomes, name, column) for column in columns}
    return {
        "name": name,
        "seeds": sorted(outcome.seed for outcome in outcomes if outcome.variation == name),
        "values": {
            column: asdict(Spread.of(list(by_seed.values()))) for column, by_seed in values.items()
        },
    }


def _difference(pair: tuple[str, str], outcomes: Sequence[Outcome], column: str) -> dict[str, Any]:
    seeds = shared_seeds(outcomes, *pair)
    rows = [column_of(outcomes, name, column) for name in pair]
    found = compare_paired(*([row[seed] for seed in seeds] for row in rows))
    return {
        "first": pair[0],
        "second": pair[1],
        "column": column,
        "seeds": len(seeds),
        **asdict(found),
    }


def group_searches(outcomes: Sequence[Outcome]) -> dict[str, Group]:
    """Best so far and seconds so far of searches, by variation; a row for each seed, in order."""
    groups = {}
    for name in dict.fromkeys(outcome.variation for outcome in outcomes):
        own = sorted((o for o in outcomes if o.variation == name), key=lambda o: o.seed)
        trials = [outcome.trials for outcome in own if outcome.trials is not None]
        rewards = np.array([one.rewards for one in trials], np.float64)
        seconds = np.array([one.seconds for one in trials], np.float64)
        groups[name] = Group(best_so_far(rewards), seconds.cumsum(axis=1))
    return groups


def _reached_by(
    outcomes: Sequence[Outcome], compared: Sequence[tuple[str, str]], metric: Metric
) -> Iterator[dict[str, Any]]:
    """Trials until either search has the reward that the weaker one of its seed ends with."""
    if not outcomes or any(outcome.trials is None for outcome in outcomes):
        return
    groups = group_searches(outcomes)
    for first, second in compared:
        if not (seeds := shared_seeds(outcomes, first, second)):
            continue
        best = []
        for name in (first, second):
            rows = list(column_of(outcomes, name, metric.name))
            best.append(groups[name].best[[rows.index(seed) for seed in seeds]])
        levels = np.minimum(best[0][:, -1], best[1][:, -1])
        after = [trials_to_reach(curves, levels) for curves in best]
        shown = (metric.value(1) * column for column in (best[0][:, -1], best[1][:, -1], levels))
        rows_by_seed = zip(seeds, *shown, *after, strict=True)
        names = ("seed", "first_best", "second_best", "level", "first_trials", "second_trials")
        yield {
            "first": first,
            "second": second,
            "by_seed": [dict(zip(names, map(float, row), strict=True)) for row in rows_by_seed],
            **asdict(compare_paired(*(trials.tolist() for trials in after))),
        }


def _known(value: Any) -> Any:
    """Plain values with None in place of what is not known, as JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _known(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_known(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def table_lines(
    table: Mapping[str, Any], columns: Sequence[str], compared: Sequence[str]
) -> list[str]:
    """The table for people: these columns, and differences in those of them that are compared."""
    shown = expanded(columns, table["columns"])
    head = ["", "seeds", *shown]
    rows = [
        [
            row["name"],
            str(len(row["seeds"])),
            *(_cell(row["values"][c], len(row["seeds"])) for c in shown),
        ]
        for row in table["variations"]
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        )
        for cells in (head, *rows)
    ]
    of_trials = not set(shown).isdisjoint(table["trial_columns"])
    if of_trials:
        lines.insert(0, f"best of {table['trials']:,} trials, mean ± deviation over seeds:")
    else:
        lines.insert(0, "mean ± deviation over seeds:")
    names = expanded(compared, table["columns"])
    differing = [row for row in table["differences"] if row["column"] in names]
    lines += list(_difference_lines([row for row in differing if _says_something(row)]))
    for row in table["reached"] if of_trials else ():
        lines += list(_reached_lines(row, Metric(**table["metric"]).label))
    return [*lines, *table["notes"]]


def expanded(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """The known columns among those that are wanted; ``X*`` are all metrics beginning with X."""
    found: list[str] = []
    for name in wanted:
        if name.endswith("*"):
            alike = [column for column in known if column.startswith(name[:-1])]
            found += [column for column in alike if not column.endswith(_COUNTED)]
        elif name in known:
            found.append(name)
    return list(dict.fromkeys(found))


def check_columns(table: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Raise ConfigError for a column that the study does not have."""
    for column in columns:
        if column not in table["columns"]:
            raise ConfigError(
                f"no column {column!r}.{did_you_mean(column, table['columns'])} There are:"
                f" {', '.join(table['columns'])}."
            )


def _cell(values: Mapping[str, Any], seeds: int) -> str:
    """Mean and deviation, and of how many seeds if some have no number."""
    mean, sd, median = (_number(values[name]) for name in ("mean", "sd", "median"))
    text = spread_text(Spread(values["n"], mean, sd, median))
    return f"{text} (n = {values['n']})" if 0 < values["n"] < seeds else text


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _says_something(row: Mapping[str, Any]) -> bool:
    """Not where no pair has the column, nor where it is the same number everywhere."""
    return row["mean"] is not None and bool(row["wins"] or row["losses"])


def _difference_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if rows:
        yield "paired by seed (mean difference, 95 % interval and p of the paired t test):"
    for row in rows:
        out = row["left_out"]
        yield (
            f"  {row['column']}, {row['first']} - {row['second']}: {_interval(row)};"
            f" {row['wins']} higher / {row['ties']} equal / {row['losses']} lower"
            + (f" ({out} seed{'s' * (out > 1)} left out: no number)" if out else "")
        )


def _interval(row: Mapping[str, Any]) -> str:
    mean = row["mean"]
    if row["low"] is None:
        return f"{signed(mean, mean)} (one seed: no interval)"
    low, high = (signed(row[end], mean) for end in ("low", "high"))
    return (
        f"{signed(mean, mean)} [{low}, {high}], p = {_p(row['p'])} (Wilcoxon {_p(row['wilcoxon'])})"
    )


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _reached_lines(row: Mapping[str, Any], label: str) -> Iterator[str]:
    """Of two strategies: trials to the same reward, seed by seed if these are few."""
    if row["mean"] is None:
        return
    yield f"trials to the {label} that both reach, {row['first']} - {row['second']}:"
    spread = "(one seed: no interval)"
    if row["low"] is not None:
        ends = f"[{row['low']:+.1f}, {row['high']:+.1f}]"
        spread = f"{ends}, p = {_p(row['p'])} (Wilcoxon {_p(row['wilcoxon'])})"
    yield (
        f"  {row['mean']:+.1f} {spread}, {row['losses']} sooner / {row['ties']} equal /"
        f" {row['wins']} later"
    )
    if len(row["by_seed"]) > _FEW:
        return
    yield f"  seed  {f'best {label} of both':>20}  both reach  after trials"
    for seed in row["by_seed"]:
        numbers = {name: _number(value) for name, value in seed.items()}
        yield (
            f"  {numbers['seed']:>4.0f}  {numbers['first_best']:>9.4f}"
            f"  {numbers['second_best']:>9.4f}  {numbers['level']:>10.4f}"
            f"  {numbers['first_trials']:>5.0f}  {numbers['second_trials']:>5.0f}"
        )
