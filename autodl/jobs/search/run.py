"""A whole search: from a checked config to a run folder with its best architecture."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from autodl.data.load import read_from
from autodl.errors import AutoDLError
from autodl.jobs.search.history import history_identity, inform, read_history
from autodl.jobs.search.parts import (
    SearchConfig,
    check_device,
    check_plan,
    load_data,
    make_executor,
    make_limits,
    make_rule,
    make_space,
    make_strategy,
    make_tried,
)
from autodl.jobs.search.screen import check_screen, make_screen
from autodl.jobs.search.source import Source, find_source, find_start, write_start
from autodl.jobs.search.tables import check_latency_table, check_step_table, check_training_table
from autodl.objectives.trade_off import TradeOff
from autodl.recipes.recipe import recipe_of
from autodl.runs.folder import (
    BEST,
    CHECKPOINTS,
    FRONT,
    MANIFEST,
    PARENT_WEIGHTS,
    PICTURE,
    TRIALS,
    read_manifest,
)
from autodl.runs.lost_trials import check_trials
from autodl.runs.run import Run
from autodl.runs.store import TrialStore
from autodl.search.asking import Limits
from autodl.search.budget import INTERRUPTED, Budget
from autodl.search.executors.executor import Executor
from autodl.search.fidelity.rule import FidelityRule
from autodl.search.loop import search
from autodl.search.objectives import objective_values
from autodl.search.observers.observer import Observer, RunInfo
from autodl.search.observers.outcome import quality_of, shown_as
from autodl.search.observers.visualdl_log import VisualDLLog
from autodl.search.options import ObjectivesOptions
from autodl.search.parent_weights import ParentWeights
from autodl.search.reuse import EarlierRun, Reuse, WorkKeys
from autodl.search.screening import Screen
from autodl.search.spent import Spent
from autodl.search.staging import Staging
from autodl.search.tried import Tried
from autodl.spaces.codec import save_architecture
from autodl.spaces.space import canonical_form
from autodl.strategies.strategy import Breeder, Strategy
from autodl.tasks.task import Metric, Task
from autodl.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class SearchResult:
    """How a search ended: the best complete trial (None if all failed) and the trial count.

    ``stopped`` says why it was ended before all trials were done, and ``exhausted`` why the
    strategy had no more of them to propose; both are empty if all are done. ``picture`` is the
    drawing of the best architecture, None where its space has no drawing; ``front`` that of
    the Pareto front, None where no cost is minimised. ``at_once`` is whether a second Ctrl-C, or
    SIGTERM, has given up what was running.
    """

    folder: Path
    best: Trial | None
    finished: int
    stopped: str
    exhausted: str
    picture: Path | None
    front: Path | None
    at_once: bool = False


def run_search(
    config: SearchConfig,
    folder: Path | str,
    *,
    resume: bool = False,
    accept_changed_plugins: bool = False,
    observers: Sequence[Observer] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> SearchResult:
    """Run a search in a folder, or go on with one, until a budget of ``Search`` is used up.

    Ctrl-C ends it cleanly, a second one at once: what is finished is kept, and the best so far is
    returned. The run is logged for VisualDL; ``observers`` are told of it as well. ``tell`` gets
    lines about what comes before the first trial.

    Raises:
        AutoDLError: config, data, packages, device or folder are unusable; a folder that was not
            there is not made then.
    """
    run = Run(
        *(Path(folder), config),
        resume=resume,
        accept_changed_plugins=accept_changed_plugins,
        tell=tell,
    )
    check_trials(run.folder)
    with ExitStack() as stack:
        parts = _prepare(config, run.folder, stack)
        stack.enter_context(run.open(parts.identity, **parts.start))
        if parts.source is not None:
            parts.source.write(run.folder)
        write_start(run.folder, parts.first)
        store = stack.enter_context(closing(TrialStore(run.folder / TRIALS)))
        info = _run_info(config, run.folder, store, parts)
        spent = Spent(store.trials(curves=False))
        budget = Budget(
            max_hours=config.search.max_hours,
            max_core_hours=config.search.max_core_hours,
            spent=spent,
            target_reward=config.search.target_reward,
            best=info.best.reward if info.best else None,
            first_failures=config.search.first_failures,
        )
        watching: tuple[Observer, ...] = (VisualDLLog(), spent, *observers)
        screen = make_screen(config, parts.space, parts.data, parts.limits, run.folder, run.tell)
        trials = _search(config, run.folder, store, parts, watching, budget, screen)
        stack.callback(trials.close)  # before the store, also when Ctrl-C comes between two trials
        ending = _Ending(trials)
        at_once = _drive(ending, info, budget, watching)
        stopped = INTERRUPTED if at_once else budget.reason
        result = _conclude(config, run, store, stopped, ending.text)
        return replace(result, at_once=at_once)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a search is put together from, as far as it needs no folder."""

    identity: Mapping[str, Any]
    start: Mapping[str, Any]
    source: Source | None
    first: Sequence[Source]
    strategy: Strategy
    executor: Executor
    keys: WorkKeys
    earlier: Sequence[EarlierRun]
    limits: Limits | None
    tried: Tried
    rule: FidelityRule | None
    space: Any
    data: Task | None


def _trials_at_first(folder: Path) -> int | None:
    """How many trials a search was to have when it began; None of one that begins.

    What a strategy makes of that number stays as it is when the search goes on to others.
    """
    if not (folder / MANIFEST).exists():
        return None
    starts = read_manifest(folder)["starts"]
    # earlier versions went by the number of their last start
    last = starts[-1] if starts else {}
    trials: int | None = last.get("strategy_trials", last.get("max_trials"))
    return trials


def _prepare(config: SearchConfig, folder: Path, stack: ExitStack) -> _Parts:
    """Make the parts, which ``stack`` closes; what cannot be made leaves no folder behind."""
    device = check_device(config)
    check_latency_table(config)
    if not (folder / MANIFEST).exists():
        check_step_table(config)
        check_training_table(config)
    data = load_data(config)
    space = make_space(config)
    check_plan(config, space, data)
    source = find_source(config, space, folder)
    origin = source.architecture if source else None
    trials = _trials_at_first(folder)
    strategy = make_strategy(config, space, origin, trials)
    history = read_history(config, space, folder)
    inform(strategy, config.strategy.name, history)
    check_screen(config, strategy, space)
    seen = {"Pictures": None} if data is None else _seen(config, data)
    identity = {**config.identity(), **seen}
    if source is not None:
        identity["Source"] = source.architecture.to_json()
    limits, rule = make_limits(config, space, data), make_rule(config)
    first = find_start(config, space, folder, limits)
    if first:
        identity["Start"] = [one.architecture.to_json() for one in first]
    if history:
        identity["History"] = history_identity(history)
    if config.search.screen is not None:
        identity["Screen"] = config.search.screen.to_plain()
    keys = WorkKeys(
        {**config.work_identity(), **seen},
        canonical_form(space),
    )
    tried = make_tried(config, space, folder)
    earlier = [stack.enter_context(closing(EarlierRun(p, keys))) for p in config.search.cache]
    executor = stack.enter_context(closing(make_executor(config, folder / "logs", data, device)))
    return _Parts(
        identity=identity,
        start={
            "max_trials": config.search.max_trials,
            "strategy_trials": trials or config.search.max_trials,
            "workers": executor.workers,
            "executor": config.search.executor,
            "device": device,
            **_kernels(config, device),
            "repeat": "allowed" if tried.repeat else "never",
            **read_from(config.data, data),
        },
        source=source,
        first=first,
        strategy=strategy,
        executor=executor,
        keys=keys,
        earlier=earlier,
        limits=limits,
        tried=tried,
        rule=rule,
        space=space,
        data=data,
    )


def _kernels(config: SearchConfig, device: str) -> dict[str, str]:
    """Whose kernels trials compute by here, if the search trains them in mixed precision."""
    if not (config.train.amp and config.evaluator.entry.trains):
        return {}
    from autodl.training.device import computing_on, noted_kernels

    with computing_on(device):
        return noted_kernels(amp=True)


def _seen(config: SearchConfig, data: Task) -> dict[str, Any]:
    """What trials learn from: the examples, and what parts of the recipe bring along."""
    from autodl.training.identity import recipe_identity

    own = {data.examples.capitalize(): data.identity()}
    return {**own, **recipe_identity(recipe_of(config.train), data)}


def _search(
    config: SearchConfig,
    folder: Path,
    store: TrialStore,
    parts: _Parts,
    observers: Sequence[Observer],
    budget: Budget,
    screen: Screen | None,
) -> Generator[Trial, None, str]:
    """The trials, as they finish."""
    strategy, rule, weights = parts.strategy, parts.rule, None
    if config.train.inherit and isinstance(strategy, Breeder):
        weights = ParentWeights(strategy, store, folder / PARENT_WEIGHTS, config.train.epochs)
    reuse = Reuse(store, parts.keys, parts.earlier, weights) if config.search.reuse else None
    objectives = partial(objective_values, options=config.objectives)
    return search(
        strategy,
        parts.executor,
        store,
        max_trials=config.search.max_trials,
        seed=config.general.seed,
        observers=observers,
        snapshot_every=config.search.snapshot_every,
        stop=budget,
        staging=Staging(rule, store, folder / CHECKPOINTS, objectives) if rule else None,
        reuse=reuse,
        limits=parts.limits,
        tried=parts.tried,
        screen=screen,
        weights=weights,
        first=[one.architecture for one in parts.first],
    )


class _Ending:
    """The trials of a search, and after them what it says at its end."""

    def __init__(self, trials: Generator[Trial, None, str]) -> None:
        self.text = ""
        self._trials = trials

    def __iter__(self) -> Iterator[Trial]:
        self.text = yield from self._trials


def _run_info(config: SearchConfig, folder: Path, store: TrialStore, parts: _Parts) -> RunInfo:
    """What observers are told at the start."""
    done = store.count_finished()
    return RunInfo(
        folder=folder,
        config=config.to_plain(),
        max_trials=config.search.max_trials,
        workers=parts.executor.workers,
        finished=done,
        best=next(iter(store.best()), None),
        data=parts.data.headline if parts.data else "",
        latest=next(iter(store.finished(start=done - 1)), None) if done else None,
    )


def _drive(
    trials: Iterable[Trial], info: RunInfo, budget: Budget, observers: Sequence[Observer]
) -> bool:
    """Run the trials and keep the observers informed; whether they were broken off."""
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
        return True
    finally:
        for observer in observers:
            observer.ended(best, done, time.monotonic() - begun)
    return False


def _conclude(
    config: SearchConfig, run: Run, store: TrialStore, stopped: str, exhausted: str
) -> SearchResult:
    """Write what the run has come to; the store is the truth, whatever was cut short before."""
    folder, best, done = run.folder, next(iter(store.best()), None), store.count_finished()
    picture = None
    if best is not None:
        save_architecture(best.architecture, folder / BEST)
        picture = _draw(best, folder / PICTURE, shown_as(config.to_plain()))
    quality = quality_of(config.to_plain())
    front = _draw_front(store, config.objectives, folder / FRONT, quality)
    run.finish(
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


def _draw(best: Trial, path: Path, metric: Metric) -> Path | None:
    """Draw the best architecture, if its space has a drawing."""
    from autodl.drawing.cells import draw_architecture
    from autodl.drawing.figures import save_figure

    try:
        told = "" if best.reward is None else f", {metric.label} {metric.digits(best.reward)}"
        figure = draw_architecture(best.architecture, title=f"trial {best.id}{told}")
    except AutoDLError:
        return None
    save_figure(figure, path)
    return path


def _draw_front(
    store: TrialStore, objectives: ObjectivesOptions, path: Path, quality: Metric
) -> Path | None:
    """Draw the Pareto front, if there is one."""
    if not objectives.minimise:
        return None
    from autodl.drawing.figures import save_figure
    from autodl.drawing.pareto import draw_front

    found = TradeOff.of(store.trials(curves=False), objectives.minimise)
    if not found.front:
        return None
    save_figure(draw_front(found, objectives.limits, quality=quality), path)
    return path
