"""Options of a strategy, chosen on half of a study's seeds; the other half is reported."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autodl.config.reading import RawConfig
from autodl.errors import StoreError
from autodl.search.config import SearchConfig
from autodl.studies.jobs import Tell
from autodl.studies.outcome import Trials
from autodl.studies.processes import pool
from autodl.studies.simulate import simulated
from autodl.studies.statistics import best_so_far
from autodl.system.files import write_json

if TYPE_CHECKING:
    from autodl.studies.study import Study

TUNING = "tuning.json"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A choice of options and how its searches went.

    The score is the mean, over seeds and trials, of the best reward so far; so it counts how good
    the architectures are that are found, and how early.
    """

    values: Mapping[str, Any]
    score: float


def combinations_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every choice of one value for each key; a single empty one for no keys.

    >>> combinations_of({"Strategy.batch_size": [5, 10]})
    [{'Strategy.batch_size': 5}, {'Strategy.batch_size': 10}]
    """
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def sections_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by ``Section.key`` as sections of a configuration."""
    sections: dict[str, Any] = {}
    for path, value in values.items():
        section, _, key = path.partition(".")
        sections.setdefault(section, {})[key] = value
    return sections


def tune(
    raw: RawConfig,
    grid: Mapping[str, Sequence[Any]],
    seeds: Sequence[int],
    *,
    workers: int = 1,
    tell: Tell = lambda line: None,
) -> list[Candidate]:
    """Simulate searches with every choice of options; best first, of equals the earlier choice.

    Choices without any success, whose score is NaN, come last.

    Args:
        raw: the sections of a search.
        workers: processes; the result does not depend on it.

    Raises:
        AutoDLError: the config or a choice is unusable, or a worker process died.
    """
    choices = combinations_of(grid)
    found: list[Candidate] = []
    with pool(workers) as mapped:
        for choice, value in zip(
            choices, mapped(partial(_score, raw, seeds), choices), strict=True
        ):
            found.append(Candidate(choice, value))
            words = " ".join(f"{key}={chosen}" for key, chosen in choice.items())
            tell(f"tuning {len(found)}/{len(choices)}: {value:.5f} {words}")
    return sorted(found, key=lambda c: -math.inf if math.isnan(c.score) else c.score, reverse=True)


def tuned_sections(study: Study, out: Path, workers: int, tell: Tell) -> dict[str, Any]:
    """The best choice on the first half of the seeds, as sections; kept in ``tuning.json``.

    Raises:
        StoreError: the file is that of another study, or damaged.
        AutoDLError: see ``tune``.
    """
    path, options = out / TUNING, study.options
    seeds = options.seeds[: len(options.seeds) // 2]
    raw = study.raw.only(SearchConfig.names())
    asked = {"config": raw.values, "grid": options.tune, "seeds": seeds}
    asked = json.loads(json.dumps(asked, default=str))
    if not path.exists():
        found = tune(raw, options.tune, seeds, workers=workers, tell=tell)
        rows = [{"values": dict(one.values), "score": one.score} for one in found]
        write_json(path, {"asked": asked, "candidates": rows})
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["asked"] != asked:
            raise StoreError(f"{path} is that of another study; choose another --out folder")
        return sections_of(known["candidates"][0]["values"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise StoreError(f"cannot read {path}: {error}; delete it to tune anew") from None


def read_tuning(out: Path) -> dict[str, Any] | None:
    """What was tuned in a study: ``asked`` and ``candidates``, best first; None if nothing."""
    path = out / TUNING
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def tuning_lines(tuning: Mapping[str, Any] | None) -> list[str]:
    """The ten best choices for people; nothing where nothing was tuned."""
    if tuning is None:
        return []
    seeds = tuning["asked"]["seeds"]
    lines = [f"tuned on seeds {seeds[0]} to {seeds[-1]}: mean best so far"]
    for candidate in tuning["candidates"][:10]:
        words = " ".join(f"{key}={value}" for key, value in candidate["values"].items())
        lines.append(f"  {candidate['score']:.5f} {words}")
    return [*lines, "reported on the others:"]


def _score(raw: RawConfig, seeds: Sequence[int], choice: Mapping[str, Any]) -> float:
    # a search that ends by its target would have a short curve, which looks worse than a long one
    whole = RawConfig({"Search": {"target_reward": None}})
    own = raw.merged(RawConfig(sections_of(choice))).merged(whole)
    return mean_best_so_far(
        [
            simulated(SearchConfig.resolve(own.merged(RawConfig({"Global": {"seed": seed}}))))
            for seed in seeds
        ]
    )


def mean_best_so_far(searches: Sequence[Trials]) -> float:
    """Mean of the best reward so far over the trials of all searches.

    Trials before a search's first success do not count; NaN if nothing succeeded.
    """
    length = min(len(search.rewards) for search in searches)
    best = best_so_far(np.array([search.rewards[:length] for search in searches], np.float64))
    known = best[~np.isnan(best)]
    return float(known.mean()) if len(known) else math.nan
