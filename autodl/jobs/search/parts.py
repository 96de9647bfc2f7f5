"""From a checked configuration to the parts of a search."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from autodl.config.components import register
from autodl.config.reading import RawConfig
from autodl.errors import ConfigError, UnknownNameError
from autodl.evaluation.options import SupernetRunOptions
from autodl.jobs.search.checks import build, check_role, check_space, check_strategy
from autodl.objectives.latency.table import LatencyTable
from autodl.plans.plan import Plan
from autodl.runs.folder import MANIFEST, read_manifest
from autodl.search.asking import Costs, Limits
from autodl.search.config import SearchConfig, load_search, resolve_search
from autodl.search.evaluate import Evaluator, OfOneKind, Priced, evaluate_trial
from autodl.search.executors.devices import gpu_of_worker, gpus_to_share
from autodl.search.executors.executor import Executor
from autodl.search.executors.inline import InlineExecutor
from autodl.search.executors.processes import ProcessExecutor
from autodl.search.executors.ray_executor import RayExecutor
from autodl.search.fidelity.rule import FidelityRule
from autodl.search.objectives import ObjectiveEvaluator, untold
from autodl.search.options import ObjectivesOptions
from autodl.search.tried import Tried
from autodl.spaces.codec import Architecture
from autodl.spaces.plan_maker import plan_maker
from autodl.spaces.space import Sampled
from autodl.spaces.stage.options import within_budget
from autodl.strategies.strategy import Breeder, Strategy
from autodl.system.cpus import usable_cpus
from autodl.tasks.load import load_task
from autodl.tasks.task import Task
from autodl.trial import ACCURACY

__all__ = ["SearchConfig", "load_search", "register", "resolve_search"]


def make_space(config: SearchConfig) -> Any:
    """The space: its factory is called with its options as keywords.

    In a supernet that has shrunk, what is left of it.

    Raises:
        PluginError: it lacks something that every space needs.
        AutoDLError: the supernet is of another space, has nothing left of it, or is damaged.
    """
    space = build(config.space)
    check_space(config.space, space)
    space = within_budget(space, config.network.options)
    options = config.evaluator.options
    return options.within(space) if isinstance(options, SupernetRunOptions) else space


def make_strategy(
    config: SearchConfig,
    space: Any,
    source: Architecture | None = None,
    trials: int | None = None,
) -> Strategy:
    """The strategy.

    Its factory is called with the space, and with ``seed``, its options, ``trials`` if it has a
    parameter of that name (how many there will be) and, if there is one, the ``source`` to start
    from as keywords.

    Args:
        config: of the search.
        space: that it searches.
        source: to start from, for strategies that do.
        trials: how many there were to be when the search began; None for as many as now.

    Raises:
        ConfigError: the space is none for it, or children are to inherit and it breeds none.
        PluginError: it lacks something that every strategy needs.
    """
    given: dict[str, Any] = {} if source is None else {"source": source}
    if config.strategy.takes("trials"):
        given["trials"] = config.search.max_trials if trials is None else trials
    strategy: Strategy = build(config.strategy, space, seed=config.general.seed, **given)
    check_strategy(config.strategy, strategy)
    if config.train.inherit:
        _check_inheritance(config, strategy)
    return strategy


def _check_inheritance(config: SearchConfig, strategy: Strategy) -> None:
    """Raise ConfigError if ``Train.inherit`` would have no effect."""
    if not isinstance(strategy, Breeder):
        raise ConfigError(
            f"Train.inherit=true, but no proposal of {config.strategy.name} descends from a trial;"
            " set it to false, or Strategy.name to Evolution"
        )
    if not config.evaluator.entry.trains or not _has_stages(config):
        raise ConfigError(
            f"Train.inherit=true, but {config.evaluator.name} gives no weights to inherit; set it"
            " to false"
        )


def _has_stages(config: SearchConfig) -> bool:
    """Whether the evaluator can begin and end at a checkpoint, as far as is known here."""
    factory = config.evaluator.factory()
    return not isinstance(factory, type) or callable(getattr(factory, "stage", None))


def load_data(config: SearchConfig) -> Task | None:
    """What the run's networks learn, or None where its evaluator trains none."""
    return load_task(config.data) if config.evaluator.entry.trains else None


def check_device(config: SearchConfig) -> str:
    """The full name of the device that trials will run on, once it is known to be there.

    Paddle is imported only where it is needed to tell.

    Raises:
        MissingPackageError: trials need Paddle and it is not installed.
        DeviceError: no such device here.
    """
    if not config.evaluator.entry.trains and config.general.device in ("auto", "cpu"):
        return "cpu"
    from autodl.training.device import resolve_device

    return resolve_device(config.general.device)


def check_plan(config: SearchConfig, space: Any, data: Task | None) -> None:
    """Build the plan of one architecture, so that options that fit none are refused at the start.

    Without pictures nothing is trained: one architecture is evaluated instead.

    Raises:
        ConfigError: the network's options do not fit each other, the space or the pictures, or an
            objective is none that the evaluator tells.
    """
    if not isinstance(space, Sampled):
        return
    if data is None:
        _check_told(config, space)
        return
    make_plan = plan_maker(config.network, data.signature)
    try:
        make_plan(space.sample(np.random.default_rng(config.general.seed)))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Network and Space do not fit each other: {error}") from error


def _check_told(config: SearchConfig, space: Any) -> None:
    """Raise ConfigError for an evaluator of ours, which trains nothing, that does not fit.

    It is for architectures of another kind, or lacks an objective. That of a plugin may take long
    and is not tried, and one that fails on this architecture tells nothing here: their trials fail
    instead, each with this reason.
    """
    objectives, seed = config.objectives, config.general.seed
    if config.evaluator.entry.plugin:
        return
    evaluator = build(config.evaluator)
    if isinstance(evaluator, OfOneKind) and evaluator.kind != space.kind:
        raise ConfigError(
            f"Evaluator {config.evaluator.name} knows architectures of the kind {evaluator.kind},"
            f" and Space {config.space.name} proposes {space.kind}; name a Space or a table of the"
            " other's kind"
        )
    if objectives == ObjectivesOptions():
        return
    architecture = space.sample(np.random.default_rng(seed))
    evaluation = evaluate_trial(evaluator, 0, architecture, seed).evaluation
    if evaluation is None:
        return
    costs = make_costs(config, None, evaluator)(architecture)
    if fault := untold(objectives, {**evaluation.metrics, **costs, ACCURACY: evaluation.reward}):
        raise ConfigError(fault)


def make_evaluator(config: SearchConfig, data: Task | None = None) -> Evaluator:
    """The evaluator.

    The factory of one that trains is called with the data, the plan maker and the train options;
    that of any other with its own options as keywords.

    Raises:
        PluginError: it cannot be called with an architecture and a generator.
    """
    evaluator: Evaluator
    if config.evaluator.entry.trains:
        from autodl.training.device import select_device

        select_device(config.general.device)
        data = data or load_task(config.data)
        make_plan = _plan_maker_of(config, data)
        evaluator = build(config.evaluator, data, make_plan, config.train)
    else:
        evaluator = build(config.evaluator)
    check_role(config.evaluator, evaluator, Evaluator)
    if config.objectives == ObjectivesOptions():
        return evaluator
    return ObjectiveEvaluator(evaluator, config.objectives, make_costs(config, data, evaluator))


def _plan_maker_of(config: SearchConfig, data: Task) -> Callable[[Architecture], Plan]:
    return plan_maker(config.network, data.signature)


def make_costs(config: SearchConfig, data: Task | None, evaluator: object = None) -> Costs:
    """Architecture -> what is known of it before training (``PLAN_COSTS``).

    An evaluator that trains nothing tells them by its method ``costs``, if it has one.

    Raises:
        DataError: the latency table is unusable.
    """
    if data is None:
        if evaluator is None:
            evaluator = build(config.evaluator)
        return evaluator.costs if isinstance(evaluator, Priced) else lambda architecture: {}
    make_plan = _plan_maker_of(config, data)
    tables = {name: LatencyTable.read(path) for name, path in config.objectives.tables.items()}

    def plan_costs(architecture: Architecture) -> dict[str, float]:
        plan = make_plan(architecture)
        costs = {"parameters": float(plan.parameters), "macs": float(plan.macs)}
        return costs | {name: table.predict(plan) for name, table in tables.items()}

    return plan_costs


def make_limits(config: SearchConfig, space: Any, data: Task | None) -> Limits | None:
    """The hard limits, if there are any.

    Raises:
        ConfigError: the evaluator cannot tell what is limited.
    """
    highest = config.objectives.limits
    if not highest:
        return None
    costs = make_costs(config, data)
    sample = space.sample if isinstance(space, Sampled) else None
    if sample is not None:
        with suppress(UnknownNameError):  # of this architecture; others may be in the table
            probe = costs(sample(np.random.default_rng(config.general.seed)))
            if missing := [name for name in highest if name not in probe]:
                name = config.evaluator.name
                raise ConfigError(f"Objectives.limits names {missing[0]}, which {name} cannot tell")
    return Limits(costs, highest, sample)


def make_tried(config: SearchConfig, space: Any, folder: Path | None = None) -> Tried:
    """What remembers the proposals, and whether they may be made again.

    Where the config does not say, a run in ``folder`` goes on as it began; those of versions that
    did not record it proposed anything again.
    """
    chosen = config.search.repeat
    if chosen is None and folder is not None and (folder / MANIFEST).exists():
        starts = read_manifest(folder)["starts"]
        chosen = starts[-1].get("repeat", "allowed") if starts else None
    if chosen is None:  # of one architecture, children of several parents become several networks
        chosen = "allowed" if config.train.inherit else "never"
    return Tried(space, repeat=chosen == "allowed")


def make_rule(config: SearchConfig) -> FidelityRule | None:
    """What decides after each stage of a trial, where there is a section ``Fidelity``.

    The rule's factory is called with ``epochs``, ``max_trials`` and its options as keywords.

    Raises:
        ConfigError: the rule does not fit the epochs, or the evaluator knows no stages.
    """
    if config.fidelity is None:
        return None
    if not _has_stages(config):
        raise ConfigError(
            f"{config.evaluator.name} cannot stop on the way; leave out section Fidelity"
        )
    rule: FidelityRule = build(
        config.fidelity, epochs=config.train.epochs, max_trials=config.search.max_trials
    )
    check_role(config.fidelity, rule, FidelityRule)
    return rule


def evaluator_in_worker(plain: dict[str, Any]) -> Evaluator:
    """The evaluator of a worker process, from ``SearchConfig.to_plain()``."""
    return make_evaluator(resolve_search(RawConfig(plain)))


def make_executor(
    config: SearchConfig, log_folder: Path, data: Task | None = None, device: str = "cpu"
) -> Executor:
    """What ``Search.executor`` names, with a device for each worker where there are several.

    By default there is a worker for each core or, where trials run on GPUs, for each GPU; with
    Ray, for each of the whole cluster.

    Raises:
        ConfigError: the options do not fit the executor, or the Ray cluster does not answer.
        MissingPackageError: Ray is not installed.
    """
    _check_executor(config)
    options, seed = config.search, config.general.seed
    if options.executor == "inline":
        return InlineExecutor(make_evaluator(config, data), seed)
    factory, plain = "autodl.jobs.search.parts:evaluator_in_worker", config.to_plain()
    if options.executor == "ray":
        return RayExecutor(
            factory,
            plain,
            seed,
            workers=options.workers,
            log_folder=log_folder,
            address=options.ray_address,
            on_gpus=device != "cpu",
            trial_seconds=options.trial_seconds,
            trial_memory_mb=options.trial_memory_mb,
        )
    gpus = _gpus_to_share(config, device)
    return ProcessExecutor(
        factory,
        plain,
        seed,
        workers=options.workers or len(gpus) or (usable_cpus() if device == "cpu" else 1),
        log_folder=log_folder,
        environment=lambda worker: gpu_of_worker(worker, gpus),
        trial_seconds=options.trial_seconds,
        trial_memory_mb=options.trial_memory_mb,
    )


def _check_executor(config: SearchConfig) -> None:
    """Raise ConfigError for options that the executor cannot follow."""
    options, device = config.search, config.general.device
    if options.executor == "inline" and options.workers not in (None, 1):
        raise ConfigError(
            f"Search.workers={options.workers}, and Search.executor=inline evaluates one trial at a"
            " time; set Search.executor=processes"
        )
    if options.executor == "inline" and (options.trial_seconds or options.trial_memory_mb):
        raise ConfigError(
            "Search.trial_seconds and trial_memory_mb need processes that can be stopped:"
            " set Search.executor=processes"
        )
    if options.executor != "ray" and options.ray_address is not None:
        raise ConfigError(
            f"Search.ray_address={options.ray_address} is only for Search.executor=ray, and it is"
            f" {options.executor}"
        )
    if options.executor == "ray" and ":" in device:
        raise ConfigError(
            f"Ray chooses the GPU of each worker itself; set Global.device=gpu, got {device}"
        )


def _gpus_to_share(config: SearchConfig, device: str) -> tuple[str, ...]:
    if device == "cpu":
        return ()  # and Paddle may be absent
    from autodl.training.device import gpu_count

    return gpus_to_share(config.general.device, gpu_count(), os.environ)
