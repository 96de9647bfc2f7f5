"""What trials cost: seconds of the processor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autodl.search.observers.observer import SilentObserver
from autodl.trial import Trial

COMPUTE = "compute_seconds"  # as evaluators that train tell it, all stages together


def core_seconds(seconds: float, metrics: Mapping[str, float | None], reused: bool) -> float:
    """Seconds of the processor that one trial took.

    Args:
        seconds: by the clock, which count where the evaluator told of no others.
        metrics: of its evaluation; empty if it failed.
        reused: whether it took over the result of another trial, which costs nothing.
    """
    told = metrics.get(COMPUTE)
    return 0.0 if reused else seconds if told is None else told


class Spent(SilentObserver):
    """Seconds of the processor that all trials of a search took, kept up as they come on.

    As an observer it hears of stages that trials have reached.

    Args:
        trials: of earlier starts, finished or not.
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self.seconds = 0.0
        self._of_trial: dict[int, float] = {}
        for trial in trials:
            self.take(trial)

    def take(self, trial: Trial) -> None:
        """Count a trial as it is now, in place of what it was at an earlier stage."""
        metrics = trial.evaluation.metrics if trial.evaluation else {}
        now = core_seconds(trial.seconds, metrics, trial.reused)
        self.seconds += now - self._of_trial.get(trial.id, 0.0)
        self._of_trial[trial.id] = now

    def reached(self, trial: Trial) -> None:
        """Count what the trial took so far."""
        self.take(trial)
