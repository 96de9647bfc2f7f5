"""A whole search: from a checked config to a run folder with its best architecture."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autodl.data.load import describe, headline
from autodl.errors import AutoDLError
from autodl.jobs.search.parts import (
    SearchConfig,
    check_device,
    check_latency_table,
    check_plan,
    load_data,
    make_executor,
    make_limits,
    make_rule,
    make_space,
    make_strategy,
)
from autodl.jobs.search.source import find_source
from autodl.objectives.trade_off import TradeOff
from autodl.runs.folder import (
    BEST,
    CHECKPOINTS,
    FRONT,
    PARENT_WEIGHTS,
    PICTURE,
    TRIALS,
    check_content,
    run_folder,
    update_manifest,
)
from autodl.runs.store import TrialStore
from autodl.search.budget import INTERRUPTED, Budget
from autodl.search.loop import search
from autodl.search.objectives import objective_values
from autodl.search.observers.observer import Observer, RunInfo
from autodl.search.observers.visualdl_log import VisualDLLog
from autodl.search.options import ObjectivesOptions
from autodl.search.parent_weights import ParentWeights
from autodl.search.reuse import EarlierRun, Reuse, WorkKeys
from autodl.search.staging import Staging
from autodl.spaces.codec import save_architecture
from autodl.spaces.space import canonical_form
from autodl.strategies.strategy import Breeder
from autodl.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class SearchResult:
    """How a search ended: the best complete trial (None if all failed) and the trial count.

    ``stopped`` says why it was ended before all trials were done, and ``exhausted`` why the
    strategy had no more of them to propose; both are empty if all are done. ``picture`` is the
    drawing of the best architecture, None where its space has no drawing; ``front`` that of
    the Pareto front, None where no cost is minimised.
    """

    folder: Path
    best: Trial | None
    finished: int
    stopped: str
    exhausted: str
    picture: Path | None
    front: Path | None


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
    check_latency_table(config)
    data = load_data(config)
    space = make_space(config)
    check_plan(config, space, data)
    source = find_source(config, space, folder)
    strategy = make_strategy(config, space, source.architecture if source else None)
    pictures = describe(data) if data else None
    identity = {**config.identity(), "Pictures": pictures}
    if source is not None:
        identity["Source"] = source.architecture.to_json()
    objectives = partial(objective_values, options=config.objectives)
    keys = WorkKeys(
        {**config.work_identity(), "Pictures": pictures},
        canonical_form(space),
    )
    limits, rule = make_limits(config, space, data), make_rule(config)
    with ExitStack() as stack:
        earlier = [stack.enter_context(closing(EarlierRun(p, keys))) for p in config.search.cache]
        # the executor first, so that an evaluator that cannot be made leaves no folder behind
        executor = stack.enter_context(
            closing(make_executor(config, folder / "logs", data, device))
        )
        about = headline(data) if data else ""
        del data  # worker processes have their own
        start = {
            "max_trials": config.search.max_trials,
            "workers": executor.workers,
            "executor": config.search.executor,
            "device": device,
            "data_path": None if config.data.path is None else str(config.data.path),
        }
        stack.enter_context(run_folder(folder, config.to_plain(), identity, start, resume=resume))
        if source is not None:
            source.write(folder)
        store = stack.enter_context(closing(TrialStore(folder / TRIALS)))
        weights = None
        if config.train.inherit and isinstance(strategy, Breeder):
            weights = ParentWeights(strategy, store, folder / PARENT_WEIGHTS, config.train.epochs)
        watching = (VisualDLLog(), *observers)
        info = _run_info(config, folder, store, executor.workers, about)
        budget = Budget(
            max_hours=config.search.max_hours,
            target_reward=config.search.target_reward,
            best=info.best.reward if info.best else None,
        )
        trials = search(
            strategy,
            executor,
            store,
            max_trials=config.search.max_trials,
            seed=config.general.seed,
            observers=watching,
            snapshot_every=config.search.snapshot_every,
            stop=budget,
            staging=Staging(rule, store, folder / CHECKPOINTS, objectives) if rule else None,
            reuse=Reuse(store, keys, earlier, weights) if config.search.reuse else None,
            limits=limits,
            weights=weights,
        )
        stack.callback(trials.close)  # before the store, also when Ctrl-C comes between two trials
        ending = _Ending(trials)
        stopped = _drive(ending, info, budget, watching)
        return _conclude(config, folder, store, stopped, ending.text)


class _Ending:
    """The trials of a search, and after them what it says at its end."""

    def __init__(self, trials: Generator[Trial, None, str]) -> None:
        self.text = ""
        self._trials = trials

    def __iter__(self) -> Iterator[Trial]:
        self.text = yield from self._trials


def _run_info(
    config: SearchConfig, folder: Path, store: TrialStore, workers: int, about_data: str
) -> RunInfo:
    """What observers are told at the start."""
    done = store.count_finished()
    return RunInfo(
        folder=folder,
        config=config.to_plain(),
        max_trials=config.search.max_trials,
        workers=workers,
        finished=done,
        best=next(iter(store.best()), None),
        data=about_data,
        latest=next(iter(store.finished(start=done - 1)), None) if done else None,
    )


def _drive(
    trials: Iterable[Trial], info: RunInfo, budget: Budget, observers: Sequence[Observer]
) -> str:
    """Run the trials and keep the observers informed; why they ended early, if they did."""
    begun, best, done = time.monotonic(), info.best, info.finished
    for observer in observers:
        observer.started(info)
    try:
        with budget.heeding_interrupts():
            for trial in trials:
                done += 1
                if _better(trial, best):
                    best = trial
                    save_architecture(trial.architecture, info.folder / BEST)
                for observer in observers:
                    observer.finished(trial, best, done)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        for observer in observers:
            observer.ended(best, done, time.monotonic() - begun)
    return budget.reason


def _conclude(
    config: SearchConfig, folder: Path, store: TrialStore, stopped: str, exhausted: str
) -> SearchResult:
    """Write what the run has come to; the store is the truth, whatever was cut short before."""
    best, done = next(iter(store.best()), None), store.count_finished()
    picture = None
    if best is not None:
        save_architecture(best.architecture, folder / BEST)
        picture = _draw(best, folder / PICTURE)
    front = _draw_front(store, config.objectives, folder / FRONT)
    update_manifest(
        folder,
        ended=stopped or exhausted or "complete",
        finished_trials=done,
        best=best.to_json() if best else None,
    )
    return SearchResult(folder, best, done, stopped, exhausted, picture, front)


def _better(trial: Trial, best: Trial | None) -> bool:
    """A complete trial of higher reward; of equal ones the earlier id, whenever they finished."""
    if trial.reward is None or trial.state is not TrialState.COMPLETE:
        return False
    if best is None or best.reward is None:
        return True
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


def _draw_front(store: TrialStore, objectives: ObjectivesOptions, path: Path) -> Path | None:
    """Draw the Pareto front, if there is one."""
    if not objectives.minimise:
        return None
    from autodl.drawing.figures import save_figure
    from autodl.drawing.pareto import draw_front

    found = TradeOff.of(store.trials(curves=False), objectives.minimise)
    if not found.front:
        return None
    save_figure(draw_front(found, objectives.limits), path)
    return path
