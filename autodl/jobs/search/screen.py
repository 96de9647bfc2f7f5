"""The pool of ``Search.screen``: drawn and scored once, and kept in the run's folder."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autodl.errors import ConfigError, EncodingError, StoreError
from autodl.jobs.search.parts import SearchConfig
from autodl.runs.folder import POOL
from autodl.search.asking import Limits
from autodl.search.options import ScreenOptions
from autodl.search.screening import Scores, Screen
from autodl.spaces.codec import Architecture, decode_architecture, encode_text
from autodl.spaces.plan_maker import plan_maker
from autodl.spaces.space import Sampled, canonical_form
from autodl.strategies.strategy import Prepared, Strategy
from autodl.system.files import write_json
from autodl.tasks.load import load_task
from autodl.tasks.task import Task
from autodl.trial import TrialFailure

_KEY = "Search.screen"
_SECONDS = 10.0  # between lines of progress
_DRAWS = 100  # at most, for each architecture of the pool


def check_screen(config: SearchConfig, strategy: Strategy, space: Any) -> None:
    """Refuse a screen that has nothing to rank.

    Raises:
        ConfigError: the strategy has first proposals of its own, or the space cannot be drawn from.
    """
    if config.search.screen is None:
        return
    if isinstance(strategy, Prepared):
        raise ConfigError(
            f"{_KEY} ranks what is proposed, and {config.strategy.name} knows what it proposes"
            " before anything is ranked; leave it out, or name another Strategy"
        )
    if not isinstance(space, Sampled):
        raise ConfigError(
            f"{_KEY} draws a pool from the space, and {config.space.name} has no"
            " sample(rng); leave it out"
        )


def make_screen(
    config: SearchConfig,
    space: Any,
    task: Task | None,
    limits: Limits | None,
    folder: Path,
    tell: Callable[[str], None],
) -> Screen | None:
    """Draw and score the pool, or read what the run has of it; None where nothing is ranked.

    What is scored is written to the folder about every ten seconds, so that a run that was killed
    goes on from there.

    Args:
        task: what the networks learn; None reads the data that the config names.
        limits: the pool is within.
        tell: gets lines of progress.

    Raises:
        ConfigError: not two architectures are within the limits, or a score is not for one.
        StoreError: the pool on disk is damaged.
    """
    options = config.search.screen
    if options is None:
        return None
    score = _scorer(config, options, task or load_task(config.data))
    pool = _draw(space, options.pool, limits, config.general.seed)
    known = _read(folder / POOL, options) if (folder / POOL).exists() else {}
    left = [text for text in pool if text not in known]
    begun = told = time.monotonic()
    for count, text in enumerate(left, start=1):
        try:
            known[text] = score(pool[text])
        except TrialFailure as failure:
            raise ConfigError(f"{_KEY}: {failure}") from None
        now = time.monotonic()
        if now - told > _SECONDS or count == len(left):
            told = now
            _write(folder / POOL, options, known)
            more = (now - begun) / count * (len(left) - count)
            done = len(pool) - len(left) + count
            tell(f"screen: scored {done} of {len(pool)} architectures, {more:.0f} s left")

    def remembered(architecture: Architecture) -> Scores:
        text = encode_text(architecture)
        if text not in known:
            try:
                known[text] = score(architecture)
            except TrialFailure:
                known[text] = dict.fromkeys(options.scores, -math.inf)
        return known[text]

    ranked = [(architecture, known[text]) for text, architecture in pool.items()]
    return Screen(remembered, ranked, options.keep)


def _scorer(
    config: SearchConfig, options: ScreenOptions, task: Task
) -> Callable[[Architecture], Scores]:
    from autodl.evaluation.zero_cost.scorer import Scorer

    scorer = Scorer(task, options.scores, options.batch_size, config.general.seed)
    make_plan = plan_maker(config.network, task.signature)
    return lambda architecture: scorer(make_plan(architecture))


def _draw(
    space: Sampled[Architecture], count: int, limits: Limits | None, seed: int
) -> dict[str, Architecture]:
    """Architectures of different canonical form within the limits, by their texts.

    There are fewer than ``count`` where a hundred draws for each have given no more.
    """
    canonical, forms = canonical_form(space), set[Architecture]()
    pool = dict[str, Architecture]()
    for attempt in range(_DRAWS * count):
        architecture = space.sample(np.random.default_rng((seed, attempt, 5)))
        form = canonical(architecture)
        if form in forms or (limits is not None and limits.excess(architecture)):
            continue
        forms.add(form)
        pool[encode_text(architecture)] = architecture
        if len(pool) == count:
            break
    if len(pool) < 2:
        raise ConfigError(
            f"{_KEY}: {len(pool)} of {_DRAWS * count} drawn architectures would do, and two are the"
            " least to rank; raise Objectives.limits, or leave out the screen"
        )
    return pool


def _write(path: Path, options: ScreenOptions, known: Mapping[str, Scores]) -> None:
    rows = [
        {"architecture": json.loads(text), **{name: _told(scores[name]) for name in scores}}
        for text, scores in known.items()
    ]
    write_json(path, {"screen": options.to_plain(), "pool": rows})


def _told(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _read(path: Path, options: ScreenOptions) -> dict[str, Scores]:
    """What of the pool is scored.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["pool"]
        return {
            encode_text(decode_architecture(row["architecture"])): {
                name: -math.inf if row[name] is None else float(row[name])
                for name in options.scores
            }
            for row in rows
        }
    except (OSError, ValueError, KeyError, TypeError, EncodingError) as error:
        raise StoreError(
            f"cannot read {path}: {error}; delete it, and the pool is scored anew"
        ) from None
