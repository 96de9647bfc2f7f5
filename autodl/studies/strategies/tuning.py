"""Options of a strategy, tuned on half of the seeds and reported on the other half."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context, set_start_method
from pathlib import Path

import numpy as np

from autodl.errors import AutoDLError
from autodl.studies.strategies.table import Search, group_searches, simulate_searches


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
    workers: int = 1,
    progress: Callable[[int, int, Candidate], None] = lambda done, count, latest: None,
) -> list[Candidate]:
    """Simulate searches with every choice of options; best first, of equals the earlier choice.

    Choices without any success, whose score is NaN, come last.

    Args:
        workers: processes; the result does not depend on it.

    Raises:
        AutoDLError: the config or an override is unusable, or a worker process died.
    """
    choices = combinations_of(grid)
    score = partial(_score, config, overrides, trials, seeds)
    with ExitStack() as stack:
        scores: Iterable[float] = map(score, choices)
        if workers > 1:
            context = get_context("spawn")  # a forked Paddle hangs
            pool = stack.enter_context(
                ProcessPoolExecutor(workers, mp_context=context, initializer=_fork_from_here)
            )
            scores = pool.map(score, choices)
        found: list[Candidate] = []
        try:
            for choice, value in zip(choices, scores, strict=True):
                found.append(Candidate(choice, value))
                progress(len(found), len(choices), found[-1])
        except BrokenProcessPool:
            raise AutoDLError(
                f"one of the {workers} worker processes died after {len(found)} of {len(choices)}"
                " choices, perhaps for want of memory; tune with fewer workers"
            ) from None
    return sorted(found, key=lambda c: -math.inf if math.isnan(c.score) else c.score, reverse=True)


def _fork_from_here() -> None:
    """Let PARL start the process that it starts when it is imported: it cannot be spawned."""
    set_start_method("fork", force=True)


def _score(
    config: Path | str,
    overrides: Sequence[str],
    trials: int,
    seeds: Sequence[int],
    choice: Sequence[str],
) -> float:
    searches = simulate_searches(config, [*overrides, *choice], trials=trials, seeds=seeds, name="")
    return mean_best_so_far(list(searches))


def mean_best_so_far(searches: Sequence[Search]) -> float:
    """Mean of the best reward so far over the trials of all searches, which are of one group.

    Trials before a search's first success do not count; NaN if nothing succeeded.
    """
    (group,) = group_searches(searches).values()
    best = group.best[~np.isnan(group.best)]
    return float(best.mean()) if len(best) else math.nan
