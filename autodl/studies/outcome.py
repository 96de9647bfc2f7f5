"""What one run of a study came to, as numbers that tables, tests and plots are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autodl.errors import ConfigError
from autodl.search.observers.outcome import SHARE
from autodl.studies.fronts import HYPERVOLUME, dominated
from autodl.tasks.task import REWARD, Metric
from autodl.trial import ACCURACY


@dataclass(frozen=True, slots=True)
class Trials:
    """The finished trials of a search in order; a reward is NaN where a trial is not complete.

    ``seconds`` are those of each trial's evaluation. ``metric`` is what people are shown of a
    reward, ``quality`` of the ``accuracy`` among the metrics; of an error, which is the negative of
    these, columns and plots have the error. With ``front`` there is a column of the volume that the
    trials dominate: the worst reward that counts, and the worst of one cost or two, by name.
    """

    rewards: tuple[float, ...]
    seconds: tuple[float, ...]
    metrics: tuple[Mapping[str, float], ...] = ()
    metric: Metric = REWARD
    quality: Metric = SHARE
    front: Mapping[str, float] = field(default_factory=dict)

    def first(self, count: int) -> Trials:
        """The first ``count`` of them."""
        cut = self.rewards[:count], self.seconds[:count], self.metrics[:count]
        return Trials(*cut, self.metric, self.quality, self.front)

    def values(self) -> dict[str, float]:
        """The best reward or lowest error, all seconds, and what else is known of the best trial.

        The reward is NaN without a success; of equal trials the first is the best.
        """
        known = [place for place, reward in enumerate(self.rewards) if reward == reward]
        best = max(known, key=lambda place: self.rewards[place], default=None)
        others = numbers(self.metrics[best]) if best is not None and self.metrics else {}
        reward = float("nan") if best is None else self.metric.value(self.rewards[best])
        others.pop(f"held_out_{self.metric.name}", None)  # the same; trained in full it is another
        shown = {
            self.quality.name if name == ACCURACY else name: self.quality.value(value)
            if name == ACCURACY
            else value
            for name, value in others.items()
        }
        found = {self.metric.name: reward, **shown, "seconds": float(sum(self.seconds))}
        if self.front:
            reward_first, *costs = self.front.items()
            worst = {self.metric.name: self.metric.reward(reward_first[1]), **dict(costs)}
            found[HYPERVOLUME] = dominated(self.rewards, self.metrics, worst)
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: which variation, which seed, and its numbers.

    ``values`` are the columns of the table, ``trials`` those of a search, ``curves`` further
    numbers that there is a row of, such as Phi by epoch.
    """

    variation: str
    seed: int
    values: Mapping[str, float]
    trials: Trials | None = None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values, without the trials, which the runs have."""
        return {
            "variation": self.variation,
            "seed": self.seed,
            "values": dict(self.values),
            "curves": {name: list(curve) for name, curve in self.curves.items()},
        }


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among values; what is true or false, missing, text or a list is left out."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def comparable(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Searches after as many trials as all of them have; other outcomes as they are.

    Raises:
        ConfigError: a search has no finished trial.
    """
    lengths = [len(one.trials.rewards) for one in outcomes if one.trials is not None]
    if lengths and not min(lengths):
        empty = next(one for one in outcomes if one.trials and not one.trials.rewards)
        raise ConfigError(
            f"a search of {empty.variation} has no finished trial; nothing to compare"
        )
    shared = []
    for one in outcomes:
        if one.trials is not None:
            trials = one.trials.first(min(lengths))
            # what was trained in full has numbers of its own by names that trials have as well
            values = {**trials.values(), **one.values, "trials": float(min(lengths))}
            shared.append(replace(one, trials=trials, values=values))
        else:
            shared.append(one)
    return shared
