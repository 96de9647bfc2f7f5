"""Finished searches as a prior: what a strategy may learn before its own first trial."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import Any

from autodl.errors import AutoDLError, ConfigError
from autodl.runs.folder import TRIALS, import_run_plugins, read_manifest
from autodl.runs.store import TrialStore
from autodl.search.config import SearchConfig
from autodl.spaces.codec import encode_text
from autodl.strategies.strategy import Informed, PastRun, Strategy
from autodl.system.roles import missing
from autodl.trial import Trial, TrialState

_KEY = "Search.history"


def read_history(
    config: SearchConfig, space: Any, folder: Path | None = None
) -> tuple[PastRun, ...]:
    """The complete trials of the searches that ``Search.history`` names, in its order.

    They may be of other data, budgets and seeds; what they share with this search is the space.

    Args:
        folder: of this run, which cannot be its own history.

    Raises:
        ConfigError: a run has no complete trial or nothing but equal rewards, holds architectures
            that are not of the space, or is named twice.
        AutoDLError: there is no run, or it is damaged.
    """
    runs = config.search.history
    own = [] if folder is None else [folder.resolve()]
    for number, run in enumerate(runs):
        if run.resolve() in (*own, *(earlier.resolve() for earlier in runs[:number])):
            raise ConfigError(f"{_KEY} names {run} twice, or is the run's own; leave it out")
    return tuple(_read(run, space) for run in runs)


def _read(run: Path, space: Any) -> PastRun:
    try:
        read_manifest(run)
        import_run_plugins(run)
        with closing(TrialStore(run / TRIALS, read_only=True)) as store:
            trials = [trial for trial in store.trials(curves=False) if _counts(trial)]
    except AutoDLError as error:
        raise type(error)(f"{_KEY}: {error}") from None
    if not trials:
        raise ConfigError(f"{_KEY}: no trial of {run} is complete; leave it out")
    for trial in trials:
        try:
            space.check(trial.architecture)
        except ConfigError as error:
            raise ConfigError(
                f"{_KEY}: trial {trial.id} of {run} is not of this space: {error}"
            ) from None
    if len({trial.reward for trial in trials}) < 2:
        raise ConfigError(
            f"{_KEY}: the {len(trials)} complete trials of {run} have the same reward,"
            f" {trials[0].reward:g}, which teaches nothing; leave it out"
        )
    return PastRun(str(run), tuple(trials))


def _counts(trial: Trial) -> bool:
    return (
        trial.state is TrialState.COMPLETE and trial.reward is not None and isfinite(trial.reward)
    )


def history_identity(history: Sequence[PastRun]) -> list[str]:
    """What tells histories apart: architectures and rewards in their order, not where they are."""
    found = []
    for past in history:
        lines = (f"{encode_text(one.architecture)} {one.reward!r}\n" for one in past.trials)
        found.append(f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}")
    return found


def inform(strategy: Strategy, name: str, history: Sequence[PastRun]) -> None:
    """Let a strategy learn from a history, if there is one.

    Raises:
        ConfigError: it takes none.
    """
    if not history:
        return
    if not isinstance(strategy, Informed):
        raise ConfigError(
            f"{_KEY} is for a strategy that learns from earlier searches, and {name} lacks"
            f" {', '.join(missing(strategy, Informed))}; leave it out, or name another Strategy"
        )
    strategy.learn_from(history)
