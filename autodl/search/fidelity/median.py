"""The median rule: trials below the others' median stop."""

from __future__ import annotations

from bisect import insort

import numpy as np

from autodl.errors import ConfigError
from autodl.search.fidelity.rule import Fate, Verdict


class MedianRule:
    """Stop a trial whose best so far is below the median of the others' averages so far.

    After ``interval`` epochs and every ``interval`` more, the best value of the trial is compared
    with the median, over all other trials that came as far, of the mean of their values up to the
    same epoch. Nothing is stopped in the first ``grace`` epochs or before ``least_trials`` others
    came as far. With several objectives a trial stops when it is below the median in all of them.
    Source: Golovin et al., Google Vizier, KDD 2017, section 3.2.2.
    """

    def __init__(
        self,
        *,
        epochs: int,
        max_trials: int,
        interval: int = 1,
        grace: int = 1,
        least_trials: int = 5,
    ) -> None:
        """``max_trials`` is there for the factory's sake; the rule does not depend on it."""
        if interval < 1 or grace < 0 or least_trials < 1:
            raise ConfigError(
                "Fidelity.interval and least_trials must be at least 1 and grace at least 0, got"
                f" {interval}, {least_trials} and {grace}"
            )
        self._epochs = epochs
        self._interval = interval
        self._grace = grace
        self._least_trials = least_trials
        self._history: dict[int, list[tuple[float, ...]]] = {}
        self._means: dict[int, list[list[float]]] = {}  # epoch -> for each objective, ascending

    def first_stage(self) -> int:
        """One interval."""
        return min(self._interval, self._epochs)

    def report(self, trial_id: int, epochs: int, values: tuple[float, ...]) -> Verdict:
        """Compare with the others at this epoch."""
        history = self._history.setdefault(trial_id, [])
        history.append(values)
        own = np.array(history)
        means = self._means.setdefault(epochs, [[] for _ in values])
        below = all(best < _median(others) for best, others in zip(own.max(0), means, strict=True))
        enough = epochs > self._grace and len(means[0]) >= self._least_trials
        for mean, others in zip(own.mean(axis=0), means, strict=True):
            insort(others, float(mean))
        if epochs < self._epochs and not (enough and below):
            return Verdict(Fate.CONTINUE, min(epochs + self._interval, self._epochs))
        del self._history[trial_id]
        return Verdict(Fate.DONE if epochs >= self._epochs else Fate.STOP)

    def promote(self) -> tuple[int, int] | None:
        """None: no trial pauses under this rule."""
        return None

    def promoted(self, trial_id: int) -> int:
        """Never called, for the same reason."""
        raise ValueError(f"trial {trial_id} cannot have been promoted by the median rule")

    def retired(self) -> list[int]:
        """None, for the same reason."""
        return []

    def forget(self, trial_id: int) -> None:
        """Drop its values; its averages still count for others."""
        self._history.pop(trial_id, None)


def _median(ascending: list[float]) -> float:
    """Of numbers in ascending order; minus infinity for none."""
    if not ascending:
        return -float("inf")
    middle = len(ascending) // 2
    return (ascending[middle] + ascending[~middle]) / 2
