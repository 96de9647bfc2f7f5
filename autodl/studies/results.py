"""Outcomes that are compared with each other, and what is said beside the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autodl.errors import ConfigError
from autodl.studies.fronts import HYPERVOLUME
from autodl.studies.jobs import Job
from autodl.studies.milestones import milestone_lines
from autodl.studies.options import PlotOptions
from autodl.studies.outcome import Outcome
from autodl.studies.statistics import Spread, rank_correlation
from autodl.studies.steps import read_alone, trained_before
from autodl.studies.text import spread_text
from autodl.tasks.task import REWARD, Metric


@dataclass(frozen=True, slots=True)
class Results:
    """Outcomes to compare, the job they are of, the control, lines about what is beside.

    ``asked`` are columns to show in place of the usual ones, ``plot`` is what to draw, ``reach``
    has rewards that searches may come to.
    """

    job: Job
    outcomes: tuple[Outcome, ...]
    control: str | None = None
    notes: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    plot: PlotOptions = field(default_factory=PlotOptions)
    reach: tuple[float, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What is said beside the table: after how many trials ``reach`` is come to, and notes."""
        return (*milestone_lines(self.outcomes, self.reach), *self.notes)

    @property
    def metric(self) -> Metric:
        """What people are shown of the rewards of searches, which have one in common."""
        return next((one.trials.metric for one in self.outcomes if one.trials), REWARD)

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are shown unless others are asked for."""
        return self.asked or (*self._own, *self.job.columns)

    @property
    def compared(self) -> tuple[str, ...]:
        """Those of them that are held against the control."""
        return self.asked or (*self._own, *self.job.compared)

    @property
    def _own(self) -> tuple[str, ...]:
        trials = next((one.trials for one in self.outcomes if one.trials), None)
        if trials is None:
            return ()
        return (trials.metric.name, trials.quality.name, *([HYPERVOLUME] if trials.front else []))


def distinct(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The outcomes, if each variation is there once with a seed.

    Raises:
        ConfigError: one is there twice.
    """
    seen = set[tuple[str, int]]()
    for outcome in outcomes:
        if (key := (outcome.variation, outcome.seed)) in seen:
            raise ConfigError(
                f"{outcome.variation} with seed {outcome.seed} is there twice; give studies of"
                " different seeds"
            )
        seen.add(key)
    return outcomes


def notes_of(out: Path, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines about stand-alone trainings, about curves, and about searches that have gone on."""
    alone = read_alone(out)
    if len(alone) >= 2:
        accuracies = [accuracy for accuracy, _ in alone]
        by_cost = rank_correlation([macs for _, macs in alone], accuracies)
        yield (
            f"{len(alone)} stand-alone trainings: held-out {spread_text(Spread.of(accuracies))};"
            f" rank correlation with their MACs {by_cost:.2f}"
        )
    for outcome in outcomes:
        for name, curve in outcome.curves.items():
            shares = " ".join(f"{100 * value:.0f}" for value in curve)
            yield f"{name}, %, of {outcome.variation}-{outcome.seed}: {shares}"
        name = f"{outcome.variation}-{outcome.seed}"
        if trained_before(out / name):
            yield f"{name} has gone on: what is trained was the best of its search before"
