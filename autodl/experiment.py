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
    check_plan,
    load_data,
    make_executor,
    make_space,
    make_strategy,
)
from autodl.data.load import describe, headline
from autodl.errors import AutoDLError
from autodl.search.budget import INTERRUPTED, Budget
from autodl.search.executors import Executor
from autodl.search.loop import search
from autodl.search.observer import Observer, RunInfo
from autodl.search.run_folder import (
    BEST,
    TRIALS,
    check_content,
    run_folder,
    update_manifest,
)
from autodl.search.store import TrialStore
from autodl.search.visualdl_log import VisualDLLog
from autodl.spaces.codec import save_architecture
from autodl.strategies.strategy import Strategy
from autodl.trial import Trial

PICTURE = "best.svg"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """How a search ended: the best complete trial (None if all failed) and the trial count.

    ``stopped`` says why it ended before all trials were done, and is empty if they are. ``picture``
    is the drawing of the best architecture, None where its space has no drawing.
    """

    folder: Path
    best: Trial | None
    finished: int
    stopped: str
    picture: Path | None


def run_search(
    config: SearchConfig,
    folder: Path | str,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
) -> SearchResult:
    """Run a search in a folder, or go on with one, until a budget of ``Search`` is used up.

    Ctrl-C ends it cleanly, a second one at once: what is finished is kept, and the best so far is
    returned. The run is logged for VisualDL; ``observers`` are told of it as well.

    Raises:
        AutoDLError: config, data, packages, device or folder are unusable; a folder that was not
            there is not made then.
    """
    folder = Path(folder)
    if folder.is_dir():
        check_content(folder, resume)
    device = check_device(config)
    data = load_data(config)
    space = make_space(config)
    check_plan(config, space, data)
    strategy = make_strategy(config, space)
    identity = {**config.identity(), "Pictures": describe(data) if data else None}
    # the executor first, so that an evaluator that cannot be made leaves no folder behind
    with closing(make_executor(config, folder / "logs", data, device)) as executor:
        about = headline(data) if data else ""
        del data  # worker processes have their own
        start = {
            "max_trials": config.search.max_trials,
            "workers": executor.workers if config.search.workers != 0 else 0,
            "device": device,
            "data_path": None if config.data.path is None else str(config.data.path),
        }
        with (
            run_folder(folder, config.to_plain(), identity, start, resume=resume),
            closing(TrialStore(folder / TRIALS)) as store,
        ):
            everyone = (VisualDLLog(), *observers)
            stopped = _drive(config, folder, strategy, executor, store, everyone, about)
            return _conclude(folder, store, stopped)


def _drive(
    config: SearchConfig,
    folder: Path,
    strategy: Strategy,
    executor: Executor,
    store: TrialStore,
    observers: Sequence[Observer],
    about_data: str,
) -> str:
    """Run the trials and keep the observers informed; why they ended early, if they did."""
    begun = time.monotonic()
    best, done = next(iter(store.best()), None), store.count_finished()
    info = RunInfo(
        folder=folder,
        config=config.to_plain(),
        max_trials=config.search.max_trials,
        workers=executor.workers,
        finished=done,
        best=best,
        data=about_data,
        latest=next(iter(store.finished(start=done - 1)), None) if done else None,
    )
    for observer in observers:
        observer.started(info)
    budget = Budget(
        max_hours=config.search.max_hours,
        target_reward=config.search.target_reward,
        best=best.reward if best else None,
    )
    trials = search(
        strategy,
        executor,
        store,
        max_trials=config.search.max_trials,
        seed=config.general.seed,
        observers=observers,
        snapshot_every=config.search.snapshot_every,
        stop=budget,
    )
    try:
        with budget.heeding_interrupts():
            for trial in trials:
                done += 1
                if _better(trial, best):
                    best = trial
                    save_architecture(trial.architecture, folder / BEST)
                for observer in observers:
                    observer.finished(trial, best, done)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        for observer in observers:
            observer.ended(best, done, time.monotonic() - begun)
    return budget.reason


def _conclude(folder: Path, store: TrialStore, stopped: str) -> SearchResult:
    """Write what the run has come to; the store is the truth, whatever was cut short before."""
    best, done = next(iter(store.best()), None), store.count_finished()
    picture = None
    if best is not None:
        save_architecture(best.architecture, folder / BEST)
        picture = _draw(best, folder / PICTURE)
    update_manifest(
        folder,
        ended=stopped or "complete",
        finished_trials=done,
        best=best.to_json() if best else None,
    )
    return SearchResult(folder, best, done, stopped, picture)


def _better(trial: Trial, best: Trial | None) -> bool:
    """Higher reward; of equal ones the earlier id, whatever the order of finishing."""
    if trial.reward is None or best is None or best.reward is None:
        return trial.reward is not None
    return (trial.reward, -trial.id) > (best.reward, -best.id)


def _draw(best: Trial, path: Path) -> Path | None:
    """Draw the best architecture, if its space has a drawing."""
    from autodl.drawing.cells import draw_architecture
    from autodl.drawing.figures import save_figure

    try:
        figure = draw_architecture(
            best.architecture, title=f"trial {best.id}, reward {best.reward:.4f}"
        )
    except AutoDLError:
        return None
    save_figure(figure, path)
    return path
