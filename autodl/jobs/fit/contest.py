"""One round: candidates are compared on held-out pictures, and the best of them is retrained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.jobs.fit.candidates import (
    Candidate,
    Pictures,
    best_other,
    config_of,
    found,
    hand_made,
    released,
    search_of,
)
from autodl.jobs.fit.clock import Clock, every
from autodl.jobs.fit.finishing import Finishing
from autodl.jobs.fit.plan import Plan
from autodl.runs.folder import CONFIG, TRIALS
from autodl.runs.store import TrialStore
from autodl.search.budget import INTERRUPTED
from autodl.search.observers.observer import RunInfo, SilentObserver
from autodl.trial import Trial, TrialFailure

if TYPE_CHECKING:
    from autodl.recipes.config import TrainConfig

COMPARED, SEARCH, RETRAINED = "compared", "search", "retrained"
_AROUND = 1.5  # seconds of a training beside its updates: building, measuring, writing
_SHORTEST = 1.0  # seconds of a training, where time has run out
_LINES = 40  # of progress in all, about


@dataclass(frozen=True, slots=True)
class Round:
    """Its number, folder and plan."""

    number: int
    folder: Path
    plan: Plan


@dataclass(frozen=True, slots=True)
class Entrant:
    """A finished training: what was trained, where it is, and its worth on held-out pictures.

    ``look`` are the seconds of a forward pass of one picture, measured there.
    """

    name: str
    about: str
    folder: Path
    accuracy: float
    balanced: float
    loss: float
    epochs: int
    seconds: float
    look: float = 0.0  # fits of earlier versions have none on record

    @property
    def worth(self) -> tuple[float, float]:
        """What is made larger: every class counts alike; of equal ones the smaller loss wins."""
        return self.balanced, -self.loss

    def to_plain(self, base: Path) -> dict[str, Any]:
        """As JSON has it, the folder seen from ``base``."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**own, "folder": self.folder.relative_to(base).as_posix()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any], base: Path) -> Entrant:
        """The inverse of ``to_plain``."""
        return cls(**{**plain, "folder": base / plain["folder"]})


class Contest:
    """Trains what a round's plan names, within its time; see ``winner``.

    ``tried`` has all trainings that came to their end, in their order.
    """

    def __init__(
        self,
        this: Round,
        pictures: Pictures,
        clock: Clock,
        finishing: Finishing,
        tell: Callable[[str], None],
    ) -> None:
        self._round, self._plan = this, this.plan
        self._pictures, self._clock, self._finishing = pictures, clock, finishing
        self._say = tell
        self.tried: list[Entrant] = []
        self._tell = every(clock.seconds / _LINES, tell)

    def winner(self) -> Entrant:
        """The best of all that was trained, on held-out pictures.

        Raises:
            TrialFailure: no training has come to its end.
        """
        for candidate in self._candidates():
            self._try(candidate)
        if self.tried and self._stops():
            return _best(self.tried)
        chosen = hand_made(self._plan)
        if self.tried:
            best = _best(self.tried)
            self._say(f"chosen: {best.about}")
            chosen = next(c for c in self._known if c.name == best.name)
        self._train(chosen, RETRAINED, self._time_left())
        return _best(self.tried)

    def _candidates(self) -> Iterator[Candidate]:
        """What is compared, one after the other; nothing where there is nothing to choose."""
        self._known: list[Candidate] = []
        plan = self._plan
        if plan.candidates < 2:
            return
        for make in (hand_made, *([released] if plan.released else [])):
            self._known.append(make(plan))
            yield self._known[-1]
        if plan.trials and not self._stops() and (architecture := self._search()) is not None:
            self._known.append(found(plan, architecture))
            yield self._known[-1]

    def _try(self, candidate: Candidate) -> None:
        """Train a candidate for a short time, unless there is something already, and no time."""
        if self._stops() and self.tried:
            return
        try:
            self._train(candidate, COMPARED, self._plan.candidate_seconds)
        except TrialFailure as failure:
            self._say(f"{candidate.name} failed: {failure}")

    def _train(self, candidate: Candidate, step: str, seconds: float) -> None:
        from autodl.jobs.train.run import retrain

        config = self._kept(candidate, step, max(seconds - _AROUND, _SHORTEST))
        folder = self._round.folder / step / candidate.name
        self._say(f"{candidate.about}: {step} for {seconds:.0f} s")
        done = retrain(
            config,
            candidate.architecture,
            folder,
            resume=True,
            progress=lambda line: self._tell(f"{candidate.name} {line}"),
            leave=lambda: self._clock.interrupted,
        )
        entrant = measured(candidate, folder, config, done.metrics)
        self._say(
            f"{candidate.name}: held-out accuracy {entrant.accuracy:.4f},"
            f" balanced {entrant.balanced:.4f}, {entrant.epochs} epochs"
        )
        self.tried.append(entrant)

    def _kept(self, candidate: Candidate, step: str, seconds: float) -> TrainConfig:
        """The configuration of a training; that of one which was begun is its own."""
        from autodl.recipes.config import load_train

        known = self._round.folder / step / candidate.name / CONFIG
        if known.exists():
            return load_train(known)
        return config_of(candidate, self._pictures, seconds)

    def _search(self) -> Any:
        """The best architecture of a search, None where all its trials failed.

        The hand-made network, which the search begins with, is left out: it is a candidate of its
        own.
        """
        from autodl.jobs.search.parts import load_search
        from autodl.jobs.search.run import run_search

        folder = self._round.folder / SEARCH
        begun = folder / CONFIG
        config = load_search(begun) if begun.exists() else search_of(self._plan, self._pictures)
        self._say(f"search: {self._plan.trials} trials of {self._plan.trial_seconds:.0f} s")
        result = run_search(
            config,
            folder,
            resume=True,
            observers=[_Told(self._tell)],
        )
        if result.stopped == INTERRUPTED:
            self._clock.interrupt()
        with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
            return best_other(store.best(self._plan.trials), config)

    def _stops(self) -> bool:
        """Whether nothing more is to be tried."""
        return self._clock.interrupted or self._time_left() < _SHORTEST

    def _time_left(self) -> float:
        """Seconds for the retraining: all but those that finishing the best so far needs.

        Its looks take what they were measured to take, and before there is one what is predicted.
        """
        finishing = self._finishing
        if self.tried:
            finishing = replace(finishing, look=_best(self.tried).look)
        return self._clock.left() - finishing.seconds


class _Told(SilentObserver):
    """An observer that says how a search comes along."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._most = tell, 0

    def started(self, run: RunInfo) -> None:
        self._most = run.max_trials

    def finished(self, trial: Trial, best: Trial | None, done: int) -> None:
        known = "none" if best is None or best.reward is None else f"{best.reward:.4f}"
        self._tell(f"search: trial {done} of {self._most}, best held-out accuracy {known}")


def measured(candidate: Candidate, folder: Path, config: TrainConfig, metrics: Any) -> Entrant:
    """What a finished training is worth."""
    from autodl.data.load import load_split
    from autodl.jobs.release.publish import logits_by, usual_views
    from autodl.release.calibration import log_loss
    from autodl.trained.confusion import balanced_accuracy
    from autodl.trained.network import load_trained_network

    data = load_split(config.data)
    trained, views = load_trained_network(folder), usual_views(metrics)
    began = time.monotonic()
    logits = logits_by(trained, data.held_out, views)
    look = (time.monotonic() - began) / (len(data.held_out) * views)
    labels, said = data.held_out.labels, logits.argmax(axis=1)
    return Entrant(
        candidate.name,
        candidate.about,
        folder,
        float((labels == said).mean()),
        balanced_accuracy(labels, said, len(data.classes)),
        log_loss(logits, labels),
        int(metrics["epochs"]),
        float(metrics["seconds"]),
        look,
    )


def _best(entrants: list[Entrant]) -> Entrant:
    return max(entrants, key=lambda entrant: entrant.worth)
