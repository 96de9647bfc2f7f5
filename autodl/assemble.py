"""From a checked configuration to the parts of a search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from autodl.components import TABLES, Component, register
from autodl.config import RawConfig
from autodl.data.load import SearchData, load_split
from autodl.errors import ConfigError
from autodl.search.asking import Costs, Limits
from autodl.search.evaluate import Evaluator
from autodl.search.executors import Executor, InlineExecutor, ProcessExecutor, default_workers
from autodl.search.objectives import ObjectiveEvaluator, objective_values
from autodl.search.options import ObjectivesOptions
from autodl.search.staging import Staging
from autodl.search.store import TrialStore
from autodl.search_config import SearchConfig, load_search, resolve_search
from autodl.spaces.codec import Architecture
from autodl.spaces.plan import Plan
from autodl.strategies.strategy import Strategy

__all__ = ["TABLES", "SearchConfig", "load_search", "register", "resolve_search"]


def make_space(config: SearchConfig) -> Any:
    """The space: its factory is called with its options as keywords."""
    return config.space.factory()(**config.space.arguments())


def make_strategy(config: SearchConfig, space: Any) -> Strategy:
    """The strategy: its factory is called with the space, ``seed`` and its options as keywords."""
    factory, seed = config.strategy.factory(), config.general.seed
    strategy: Strategy = factory(space, seed=seed, **config.strategy.arguments())
    return strategy


def plan_maker(
    network: Component, *, classes: int, image_size: int
) -> Callable[[Architecture], Plan]:
    """Architecture -> plan.

    The network's factory is called with the architecture, and with its options, ``classes`` and
    ``image_size`` as keywords.
    """
    factory, arguments = network.factory(), network.arguments()

    def make_plan(architecture: Architecture) -> Plan:
        plan: Plan = factory(architecture, classes=classes, image_size=image_size, **arguments)
        return plan

    return make_plan


def load_data(config: SearchConfig) -> SearchData | None:
    """The pictures of the run, or None where its evaluator needs none."""
    return load_split(config.data) if config.evaluator.entry.trains else None


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


def check_plan(config: SearchConfig, space: Any, data: SearchData | None) -> None:
    """Build the plan of one architecture, so that options that fit none are refused at the start.

    Raises:
        ConfigError: the network's options do not fit each other, the space or the pictures.
    """
    if data is None or not hasattr(space, "sample"):
        return
    make_plan = plan_maker(
        config.network, classes=len(data.classes), image_size=data.train.images.shape[1]
    )
    try:
        make_plan(space.sample(np.random.default_rng(config.general.seed)))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Network and Space do not fit each other: {error}") from error


def make_evaluator(config: SearchConfig, data: SearchData | None = None) -> Evaluator:
    """The evaluator.

    The factory of one that trains is called with the data, the plan maker and the train options;
    that of any other with its own options as keywords.
    """
    factory = config.evaluator.factory()
    evaluator: Evaluator
    if config.evaluator.entry.trains:
        from autodl.training.device import select_device

        select_device(config.general.device)
        data = data or load_split(config.data)
        make_plan = _plan_maker_of(config, data)
        evaluator = factory(data, make_plan, config.train, **config.evaluator.arguments())
    else:
        evaluator = factory(**config.evaluator.arguments())
    if config.objectives == ObjectivesOptions():
        return evaluator
    return ObjectiveEvaluator(evaluator, config.objectives, make_costs(config, data, evaluator))


def _plan_maker_of(config: SearchConfig, data: SearchData) -> Callable[[Architecture], Plan]:
    size = data.train.images.shape[1]
    return plan_maker(config.network, classes=len(data.classes), image_size=size)


def make_costs(config: SearchConfig, data: SearchData | None, evaluator: object = None) -> Costs:
    """Architecture -> what is known of it before training (``PLAN_COSTS``).

    An evaluator that trains nothing tells them by its method ``costs``, if it has one.

    Raises:
        AutoDLError: the latency table is unusable or of another machine.
    """
    if data is None:
        if evaluator is None:
            evaluator = config.evaluator.factory()(**config.evaluator.arguments())
        costs: Costs = getattr(evaluator, "costs", lambda architecture: {})
        return costs
    make_plan = _plan_maker_of(config, data)

    def plan_costs(architecture: Architecture) -> dict[str, float]:
        plan = make_plan(architecture)
        return {"parameters": plan.parameters, "macs": plan.macs}

    return plan_costs


def make_limits(config: SearchConfig, space: Any, data: SearchData | None) -> Limits | None:
    """The hard limits, if there are any.

    Raises:
        ConfigError: the evaluator cannot tell what is limited.
    """
    highest = config.objectives.limits
    if not highest:
        return None
    costs = make_costs(config, data)
    probe = costs(space.sample(np.random.default_rng(config.general.seed)))
    if missing := [name for name in highest if name not in probe]:
        raise ConfigError(
            f"Objectives.limits names {missing[0]}, which {config.evaluator.name} cannot tell"
        )
    return Limits(costs, highest)


def make_staging(config: SearchConfig, store: TrialStore, folder: Path) -> Staging | None:
    """What takes trials through stages, where there is a section ``Fidelity``.

    The rule's factory is called with ``epochs``, ``max_trials`` and its options as keywords.

    Raises:
        ConfigError: the rule does not fit the epochs, or the evaluator knows no stages.
    """
    if config.fidelity is None:
        return None
    factory = config.evaluator.factory()
    if isinstance(factory, type) and not hasattr(factory, "stage"):
        raise ConfigError(
            f"{config.evaluator.name} cannot stop on the way; leave out section Fidelity"
        )
    rule = config.fidelity.factory()(
        epochs=config.train.epochs,
        max_trials=config.search.max_trials,
        **config.fidelity.arguments(),
    )
    return Staging(
        rule, store, folder, lambda evaluation: objective_values(evaluation, config.objectives)
    )


def evaluator_in_worker(plain: dict[str, Any]) -> Evaluator:
    """The evaluator of a worker process, from ``SearchConfig.to_plain()``."""
    return make_evaluator(resolve_search(RawConfig(plain)))


def make_executor(
    config: SearchConfig, log_folder: Path, data: SearchData | None = None, device: str = "cpu"
) -> Executor:
    """Worker processes, or this process where ``Search.workers`` is 0.

    By default there is one worker per core, or a single one where trials share a GPU.
    """
    seed, workers = config.general.seed, config.search.workers
    if workers is None:
        workers = 1 if device.startswith("gpu") else default_workers()
    limits = (config.search.trial_seconds, config.search.trial_memory_mb)
    if workers == 0 and limits != (None, None):
        raise ConfigError(
            "Search.trial_seconds and trial_memory_mb need processes that can be stopped:"
            " set Search.workers to at least 1"
        )
    if workers == 0:
        return InlineExecutor(make_evaluator(config, data), seed)
    return ProcessExecutor(
        "autodl.assemble:evaluator_in_worker",
        config.to_plain(),
        seed,
        workers=workers,
        trial_seconds=config.search.trial_seconds,
        trial_memory_mb=config.search.trial_memory_mb,
        log_folder=log_folder,
    )
