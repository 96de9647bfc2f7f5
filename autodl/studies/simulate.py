"""A search in memory: the same trials as the real loop with one worker, nothing stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from autodl.errors import ConfigError
from autodl.jobs.search.history import inform, read_history
from autodl.jobs.search.parts import (
    check_plan,
    make_evaluator,
    make_limits,
    make_space,
    make_strategy,
    make_tried,
)
from autodl.jobs.search.source import find_source
from autodl.search.asking import Limits, ask_within, keep_within
from autodl.search.budget import Budget
from autodl.search.config import SearchConfig
from autodl.search.evaluate import Evaluator, evaluate_trial
from autodl.search.tried import Tried
from autodl.spaces.space import canonical_form
from autodl.strategies.strategy import Prepared, Strategy
from autodl.studies.outcome import Trials, numbers
from autodl.trial import Architecture, Trial


def simulate(
    strategy: Strategy,
    evaluator: Evaluator,
    *,
    trials: int,
    seed: int,
    limits: Limits | None = None,
    tried: Tried | None = None,
    stop: Budget | None = None,
) -> Iterator[Trial]:
    """Ask, evaluate and tell ``trials`` times; for comparing strategies over many seeds.

    Fewer times where the strategy has no more to propose, ``tried`` finds nothing new, or ``stop``
    has a reason to stop behind a trial.

    Raises:
        ConfigError: nothing that is proposed is within the limits.
    """
    batch = strategy.batch_size or 1
    listed = strategy.initial() if isinstance(strategy, Prepared) else ()
    prepared = list(islice(keep_within(listed, limits), trials))
    for start in range(0, trials, batch):
        ids = range(start, min(start + batch, trials))
        architectures = prepared[start : ids.stop]
        if tried is not None:
            for trial_id, architecture in zip(ids, architectures, strict=False):
                tried.propose(trial_id, architecture)
        asked = ask_within(strategy, seed, ids[len(architectures) :], limits, tried)
        architectures += [child.architecture for child in asked.children]
        if not architectures:
            return
        finished = [
            evaluate_trial(evaluator, trial_id, architecture, seed)
            for trial_id, architecture in zip(ids, architectures, strict=False)
        ]
        for trial in finished:
            if tried is not None:
                tried.finish(trial.id)
            strategy.tell(trial)
            yield trial
            if stop is not None and stop(trial) is not None:
                return


def simulated(config: SearchConfig) -> Trials:
    """The trials of a search whose evaluator needs no training (a table, a synthetic one).

    The seconds of a trial are what its training took when it was done; 0 where the search has that
    result already.

    Raises:
        ConfigError: the config trains, has stages, a screen, a start, hours, or objectives that
            nothing tells or meets.
    """
    if refused := next((why for is_there, why in _no_simulation(config) if is_there), None):
        raise ConfigError(refused)
    space = make_space(config)
    check_plan(config, space, None)
    source = find_source(config, space)
    strategy = make_strategy(config, space, source.architecture if source else None)
    inform(strategy, config.strategy.name, read_history(config, space))
    limits = make_limits(config, space, None)
    done = list(
        simulate(
            strategy,
            make_evaluator(config),
            trials=config.search.max_trials,
            seed=config.general.seed,
            limits=limits,
            tried=make_tried(config, space),
            stop=Budget(target_reward=config.search.target_reward),
        )
    )
    return Trials(
        tuple(float("nan") if trial.reward is None else trial.reward for trial in done),
        tuple(_seconds(done, canonical_form(space))),
        tuple(numbers(trial.evaluation.metrics) if trial.evaluation else {} for trial in done),
    )


def _seconds(
    trials: Sequence[Trial], canonical: Callable[[Architecture], Architecture]
) -> list[float]:
    seconds, seen = [], set[Architecture]()
    for trial in trials:
        form = canonical(trial.architecture)
        took = trial.evaluation.metrics.get("seconds") if trial.evaluation else None
        seconds.append(0.0 if form in seen else trial.seconds if took is None else took)
        seen.add(form)
    return seconds


def _no_simulation(config: SearchConfig) -> Iterator[tuple[bool, str]]:
    """Whether a config has each thing that a simulation has none of, and what to say then."""
    search = config.search
    yield (
        config.evaluator.entry.trains,
        f"Evaluator.name {config.evaluator.name} trains networks; simulate with a table as"
        " Evaluator, or set Study.job to search",
    )
    yield (
        config.fidelity is not None,
        "the config has section Fidelity, and a simulation has no stages; leave it out",
    )
    yield (
        search.screen is not None,
        "Search.screen builds a network for every architecture that it ranks, and a simulation"
        " has none; leave it out, or set Study.job to search",
    )
    yield (
        bool(search.start),
        "Search.start is tried first by a search, and a simulation begins with what its strategy"
        " proposes; leave it out, or set Study.job to search",
    )
    for name in ("max_hours", "max_core_hours"):
        yield (
            getattr(search, name) is not None,
            f"Search.{name} ends a search by the clock, and a simulation takes no time; leave it"
            " out, and set Search.max_trials",
        )
