"""Options of a strategy, tuned on half of the seeds and reported on the other half."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from autodl.comparison_report import Search, group_searches, simulate_searches


@dataclass(frozen=True, slots=True)
class Candidate:
    """A choice of options and how its searches went.

    The score is the mean, over seeds and trials, of the best reward so far; so it counts how good
    the architectures are that are found, and how early.
    """

    overrides: tuple[str, ...]
    score: float


def combinations_of(grid: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Every choice of one value for each key, as overrides; a single empty one for no keys.

    >>> combinations_of({"Strategy.batch_size": ["5", "10"]})
    [('Strategy.batch_size=5',), ('Strategy.batch_size=10',)]
    """
    keys = list(grid)
    return [
        tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))
        for values in product(*grid.values())
    ]


def tune(
    config: Path | str,
    overrides: Sequence[str],
    grid: Mapping[str, Sequence[str]],
    *,
    trials: int,
    seeds: Sequence[int],
    progress: Callable[[int, int, Candidate], None] = lambda done, count, latest: None,
) -> list[Candidate]:
    """Simulate searches with every choice of options; best first, of equals the earlier choice.

    Raises:
        AutoDLError: the config or an override is unusable.
    """
    choices = combinations_of(grid)
    found: list[Candidate] = []
    for choice in choices:
        searches = list(
            simulate_searches(config, [*overrides, *choice], trials=trials, seeds=seeds, name="")
        )
        found.append(Candidate(choice, mean_best_so_far(searches)))
        progress(len(found), len(choices), found[-1])
    return sorted(found, key=lambda candidate: -candidate.score)


def mean_best_so_far(searches: Sequence[Search]) -> float:
    """Mean of the best reward so far over the trials of all searches, which are of one group.

    Trials before a search's first success do not count; NaN if nothing succeeded.
    """
    (group,) = group_searches(searches).values()
    best = group.best[~np.isnan(group.best)]
    return float(best.mean()) if len(best) else math.nan
