"""Trials by quality and costs as they come, and which of them no other one beats."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.trial import ACCURACY, Trial, TrialState

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Goals:
    """What pictures and reports need of the section ``Objectives``; by default there is none.

    ``costs`` are the metrics to be small, ``limits`` the most that is allowed of a metric.
    """

    costs: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Goals:
        """Those of a resolved configuration."""
        section = config.get("Objectives") or {}
        return cls(tuple(section.get("minimise") or ()), dict(section.get("limits") or {}))


class TradeOff:
    """The complete trials by quality and costs, and the Pareto front of them.

    A trial that lacks one of the numbers is left out, and so is one that was trained in part:
    that does not compare with a whole training. Of a result on the front that is reused, the
    first trial stands for all. Equal results of other trials do not beat each other. The quality
    is the accuracy or, where the metrics do not have it, the reward.

    Args:
        costs: names of metrics that should be small; not empty.
    """

    def __init__(self, costs: Sequence[str]) -> None:
        self.costs = tuple(costs)
        self.quality = "reward"
        self._ids = array("q")
        self._values = array("d")
        self._front: list[int] = []  # positions
        self._front_values: Values = np.empty((0, 1 + len(self.costs)))  # costs negated

    @classmethod
    def of(cls, trials: Iterable[Trial], costs: Sequence[str]) -> TradeOff:
        """Take in many trials."""
        trade_off = cls(costs)
        for trial in trials:
            trade_off.add(trial)
        return trade_off

    def add(self, trial: Trial) -> bool:
        """Take a trial in and say whether it is on the front now."""
        if trial.state is not TrialState.COMPLETE or trial.evaluation is None:
            return False
        evaluation = trial.evaluation
        return self.add_result(trial.id, evaluation.reward, evaluation.metrics, trial.reused)

    def add_result(
        self, trial_id: int, reward: float, metrics: Mapping[str, float | None], reused: bool
    ) -> bool:
        """The same for the numbers of a complete trial."""
        if ACCURACY in metrics:
            self.quality = ACCURACY
        found = (metrics.get(ACCURACY, reward), *(metrics.get(name) for name in self.costs))
        numbers = [float(value) for value in found if value is not None and math.isfinite(value)]
        if len(numbers) < len(found):
            return False
        row = np.array(numbers)
        row[1:] *= -1.0
        gain = row - self._front_values
        ahead, behind = (gain > 0).any(axis=1), (gain < 0).any(axis=1)
        if reused and not (ahead | behind).all():
            return False
        self._ids.append(trial_id)
        self._values.extend(numbers)
        if (behind & ~ahead).any():
            return False
        kept = np.asarray(behind | ~ahead)
        self._front = [place for place, stays in zip(self._front, kept, strict=True) if stays]
        self._front.append(len(self._ids) - 1)
        self._front_values = np.vstack([self._front_values[kept], row])
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of ``values``: the quality and the costs."""
        return (self.quality, *self.costs)

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the trials, in the order in which they came."""
        return tuple(self._ids)

    @property
    def values(self) -> Values:
        """Quality, then costs as they were measured; float64 ``[trials, 1 + costs]``."""
        return np.array(self._values).reshape(-1, 1 + len(self.costs))

    @property
    def front(self) -> list[int]:
        """Positions of the front's trials, from the best quality to the worst, then by id."""
        width = len(self.names)
        return sorted(self._front, key=lambda p: (-self._values[p * width], self._ids[p]))
