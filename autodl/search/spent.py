"""What trials cost: seconds of the processor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def total_core_seconds(trials: Iterable[Trial]) -> float:
    """The same of all trials, finished or not."""
    return sum(
        core_seconds(
            trial.seconds, trial.evaluation.metrics if trial.evaluation else {}, trial.reused
        )
        for trial in trials
    )
