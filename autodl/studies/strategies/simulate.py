"""A search in memory: the same trials as the real loop with one worker, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from autodl.search.asking import Limits, ask_within, keep_within
from autodl.search.evaluate import Evaluator, evaluate_trial
from autodl.strategies.strategy import Prepared, Strategy
from autodl.trial import Trial


def simulate(
    strategy: Strategy,
    evaluator: Evaluator,
    *,
    trials: int,
    seed: int,
    limits: Limits | None = None,
) -> Iterator[Trial]:
    """Ask, evaluate and tell ``trials`` times; for comparing strategies over many seeds.

    Raises:
        ConfigError: nothing that is proposed is within the limits.
    """
    batch = strategy.batch_size or 1
    listed = strategy.initial() if isinstance(strategy, Prepared) else ()
    prepared = list(islice(keep_within(listed, limits), trials))
    for start in range(0, trials, batch):
        ids = range(start, min(start + batch, trials))
        architectures = prepared[start : ids.stop]
        asked = ask_within(strategy, seed, ids[len(architectures) :], limits)
        architectures += [child.architecture for child in asked.children]
        if not architectures:
            return
        finished = [
            evaluate_trial(evaluator, trial_id, architecture, seed)
            for trial_id, architecture in zip(ids, architectures, strict=False)
        ]
        for trial in finished:
            strategy.tell(trial)
            yield trial
