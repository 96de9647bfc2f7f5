"""How soon searches reach given rewards, and what their best or front has after given trials."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from autodl.errors import ConfigError, did_you_mean
from autodl.studies.outcome import Outcome
from autodl.studies.statistics import best_so_far, trials_to_reach

_AFTER = re.compile(r"(.+)_after_(\d+)")


def with_earlier(outcome: Outcome, columns: Sequence[str]) -> Outcome:
    """With what columns such as ``accuracy_after_100`` ask for, NaN where there are fewer trials.

    That is the column of the best by reward of so many trials, not the best of the column.
    """
    if outcome.trials is None:
        return outcome
    values = {}
    for name in columns:
        if (found := _AFTER.fullmatch(name)) is not None:
            count = int(found[2])
            enough = len(outcome.trials.rewards) >= count > 0
            known = outcome.trials.first(count).values() if enough else {}
            values[name] = known.get(found[1], math.nan)
    return replace(outcome, values={**outcome.values, **values})


def with_front(outcome: Outcome, worst: Mapping[str, float]) -> Outcome:
    """A search that is also measured by its front, see ``Trials.front``; others as they are.

    Raises:
        ConfigError: ``worst`` names another reward first, or a cost that no trial has.
    """
    if outcome.trials is None or not worst:
        return outcome
    reward, *costs = worst
    if reward != outcome.trials.metric.name:
        raise ConfigError(
            f"Study.front begins with {outcome.trials.metric.name}, the reward of these searches;"
            f" got {reward!r}"
        )
    known = sorted({name for metrics in outcome.trials.metrics for name in metrics})
    for cost in costs:
        if cost not in known:
            raise ConfigError(
                f"Study.front names {cost!r}, which no trial of {outcome.variation} has."
                f"{did_you_mean(cost, known)} There are: {', '.join(known) or 'none'}."
            )
    return replace(outcome, trials=replace(outcome.trials, front=worst))


def reached(outcomes: Sequence[Outcome], level: float) -> tuple[float, int]:
    """Median of the trials until a reward is reached, and how many searches reach it.

    The level is what people are shown of a reward: of an error, how low it has to be. A search that
    never does counts as later than all others; infinite where half of them do not.
    """
    after = []
    for outcome in outcomes:
        if outcome.trials is not None:
            best = best_so_far(np.array([outcome.trials.rewards], np.float64))
            reward = outcome.trials.metric.reward(level)
            after.append(float(trials_to_reach(best, np.array([reward]))[0]))
    there = [number for number in after if not math.isnan(number)]
    filled = sorted([*there, *[math.inf] * (len(after) - len(there))])
    middle = len(filled) // 2
    if not filled:
        return math.inf, 0
    median = filled[middle] if len(filled) % 2 else (filled[middle - 1] + filled[middle]) / 2
    return median, len(there)


def milestone_lines(outcomes: Sequence[Outcome], levels: Sequence[float]) -> Iterator[str]:
    """For people: a line for every variation, how soon it reaches each reward."""
    if not levels:
        return
    label = next((o.trials.metric.label for o in outcomes if o.trials), "reward")
    yield f"median trials to a {label} (searches that reach it):"
    for name in dict.fromkeys(outcome.variation for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.variation == name]
        cells = []
        for level in levels:
            median, there = reached(own, level)
            said = "never" if math.isinf(median) else f"{median:g}"
            cells.append(f"{level:g}: {said} ({there} of {len(own)})")
        yield f"  {name}: {', '.join(cells)}"
