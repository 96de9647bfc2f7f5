"""A whole search: from a checked config to a run folder with its best architecture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from autodl.assemble import (
    SearchConfig,
    check_device,
    load_data,
    make_executor,
    make_space,
    make_strategy,
)
from autodl.data.load import describe
from autodl.search.loop import search
from autodl.search.observer import Observer, RunInfo
from autodl.search.run_folder import BEST, TRIALS, run_folder, update_manifest
from autodl.search.store import TrialStore
from autodl.spaces.codec import save_architecture
from autodl.trial import Trial


@dataclass(frozen=True, slots=True)
class SearchResult:
    """How a search ended: the best complete trial (None if all failed) and the trial count."""

    folder: Path
    best: Trial | None
    finished: int
    interrupted: bool


def run_search(
    config: SearchConfig,
    folder: Path | str,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
) -> SearchResult:
    """Run a search in a folder, or go on with one, until ``Search.max_trials`` are finished.

    Ctrl-C ends it cleanly: what is finished is kept, and the best so far is returned.

    Raises:
        AutoDLError: config, data, packages, device or folder are unusable.
    """
    folder, begun = Path(folder), time.monotonic()
    device = check_device(config)
    data = load_data(config)
    strategy = make_strategy(config, make_space(config))
    identity = {**config.identity(), "Pictures": describe(data) if data else None}
    with (
        # first, so that an evaluator that cannot be made leaves no folder behind
        closing(make_executor(config, folder / "logs", data, device)) as executor,
        run_folder(folder, config.to_plain(), identity, _start(config, device), resume=resume),
        closing(TrialStore(folder / TRIALS)) as store,
    ):
        best, finished = next(iter(store.best()), None), store.count_finished()
        info = RunInfo(
            folder=folder,
            config=config.to_plain(),
            max_trials=config.search.max_trials,
            workers=executor.workers,
            finished=finished,
            best=best,
            latest=next(store.finished(start=finished - 1), None) if finished else None,
        )
        for observer in observers:
            observer.started(info)
        done, interrupted = info.finished, False
        try:
            for trial in search(
                strategy,
                executor,
                store,
                max_trials=config.search.max_trials,
                seed=config.general.seed,
                observers=observers,
                snapshot_every=config.search.snapshot_every,
            ):
                done += 1
                if best is None or _better(trial, best):
                    best = trial if trial.reward is not None else best
                    if best is trial:
                        save_architecture(trial.architecture, folder / BEST)
                for observer in observers:
                    observer.finished(trial, best, done)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            for observer in observers:
                observer.ended(best, done, time.monotonic() - begun)
        # a kill or Ctrl-C may have come between the store and what follows it
        best, done = next(iter(store.best()), None), store.count_finished()
        if best is not None:
            save_architecture(best.architecture, folder / BEST)
        update_manifest(
            folder,
            ended="interrupted" if interrupted else "complete",
            finished_trials=done,
            best=best.to_json() if best else None,
        )
    return SearchResult(folder, best, done, interrupted)


def _better(trial: Trial, best: Trial) -> bool:
    """Higher reward; of equal ones the earlier id, whatever the order of finishing."""
    if trial.reward is None or best.reward is None:
        return False
    return (trial.reward, -trial.id) > (best.reward, -best.id)


def _start(config: SearchConfig, device: str) -> dict[str, object]:
    return {
        "max_trials": config.search.max_trials,
        "workers": config.search.workers,
        "device": device,
        "data_path": None if config.data.path is None else str(config.data.path),
    }
