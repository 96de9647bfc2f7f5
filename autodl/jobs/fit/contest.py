"""One round: candidates are compared on held-out pictures, and the best of them is retrained."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.errors import ConfigError, StoreError
from autodl.jobs.fit.candidates import (
    FOUND,
    HAND_MADE,
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
from autodl.runs.folder import (
    ARCHITECTURE,
    CHECKPOINT,
    CONFIG,
    MANIFEST,
    METRICS,
    TRIALS,
)
from autodl.runs.store import TrialStore
from autodl.search.budget import INTERRUPTED
from autodl.search.observers.observer import RunInfo, SilentObserver
from autodl.trial import Architecture, Trial, TrialFailure

if TYPE_CHECKING:
    from autodl.recipes.config import TrainConfig

COMPARED, SEARCH, RETRAINED = "compared", "search", "retrained"
PLAN = "plan.json"
_AROUND = 1.5  # seconds of a training beside its updates: building, measuring, writing
_SHORTEST = 1.0  # seconds of a training, where time has run out
_LINES = 40  # of progress in all, about


@dataclass(frozen=True, slots=True)
class Round:
    """Its number, folder and plan."""

    number: int
    folder: Path
    plan: Plan


def _forget_unborn(folder: Path) -> None:
    """Remove a training that was killed before its configuration was written.

    Nothing is in it, and now it is to have other seconds than it had then.
    """
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if names and all(name == MANIFEST or name.startswith(".") for name in names):
        with suppress(OSError):  # then the training itself says what is wrong with it
            shutil.rmtree(folder)


def read_plan(folder: Path) -> Plan:
    """The plan of a round by its folder.

    Raises:
        StoreError: it is missing or damaged.
    """
    path = folder / PLAN
    try:
        return Plan.from_plain(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"cannot read {path}: {error}; bring it back from a back-up, or remove {folder}"
        ) from None


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

    @property
    def round_folder(self) -> Path:
        """The folder of its round."""
        return self.folder.parent.parent

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
        self._known: list[Candidate] = []
        self._failure = ""  # of the last training that came to nothing
        self._tell = every(clock.seconds / _LINES, tell)

    def winner(self) -> Entrant:
        """The best of all that was trained, on held-out pictures.

        What an earlier start of the round has trained is measured, whatever the clock says.

        Raises:
            ConfigError: no training has come to its end.
        """
        for candidate in self._candidates():
            self._try(candidate, COMPARED, self._plan.candidate_seconds)
        self._try(self._chosen(), RETRAINED, self._time_left())
        if not self.tried:
            raise ConfigError(
                f"no training has come to its end: {self._failure}; another --seed (and --out) may"
                " help, too"
            )
        return _best(self.tried)

    def _candidates(self) -> Iterator[Candidate]:
        """What is compared, one after the other; nothing where there is nothing to choose."""
        plan = self._plan
        if plan.candidates < 2:
            return
        for make in (hand_made, *([released] if plan.released else [])):
            self._known.append(make(plan))
            yield self._known[-1]
        if plan.trials and (architecture := self._found()) is not None:
            self._known.append(found(plan, architecture))
            yield self._known[-1]

    def _chosen(self) -> Candidate:
        """What is retrained: the best so far, unless an earlier start has begun with another."""
        known = self._known or [hand_made(self._plan)]
        if begun := [c for c in known if self._begun(RETRAINED, c)]:
            return begun[0]
        best = _best(self.tried).name if self.tried else HAND_MADE
        return next(candidate for candidate in known if candidate.name == best)

    def _try(self, candidate: Candidate, step: str, seconds: float) -> None:
        """Train a candidate, unless there is something already, and no time to begin with more."""
        if self.tried and self._stops() and not self._begun(step, candidate):
            return
        try:
            self._train(candidate, step, min(seconds, self._time_left()))
        except TrialFailure as failure:
            # without its remedy: a fit has no options of trainings
            self._failure = f"{candidate.name}: {failure.reason}"
            self._say(f"{candidate.name} failed: {failure.reason}")

    def _train(self, candidate: Candidate, step: str, seconds: float) -> None:
        from autodl.jobs.train.run import retrain

        folder = self._folder(step, candidate.name)
        kept = (folder / CONFIG).exists()  # also of one that was killed before its first checkpoint
        _forget_unborn(folder)
        config = self._kept(candidate, step, max(seconds - _AROUND, _SHORTEST))
        cut = False

        def leave() -> bool:
            nonlocal cut
            # the seconds of a kept configuration are those that an earlier start had for it
            cut = self._clock.interrupted or (kept and self._time_left() < 0)
            return cut

        told = "is gone on with" if kept else f"{step} for {max(seconds, _SHORTEST):.0f} s"
        self._say(f"{candidate.about}: {told}")
        done = retrain(
            config,
            candidate.architecture,
            folder,
            resume=True,
            progress=lambda line: self._tell(f"{candidate.name} {line}"),
            leave=leave,
        )
        if cut:
            self._say(f"{candidate.name}: ended before its learning rate had come to its end")
        entrant = measured(candidate, folder, config, done.metrics)
        self._say(
            f"{candidate.name}: held-out accuracy {entrant.accuracy:.4f},"
            f" balanced {entrant.balanced:.4f}, {entrant.epochs} epochs"
        )
        self.tried.append(entrant)

    def _folder(self, step: str, name: str) -> Path:
        return self._round.folder / step / name

    def _begun(self, step: str, candidate: Candidate) -> bool:
        """Whether an earlier start has come to something in a training."""
        folder = self._folder(step, candidate.name)
        return (folder / CHECKPOINT).exists() or (folder / METRICS).exists()

    def _kept(self, candidate: Candidate, step: str, seconds: float) -> TrainConfig:
        """The configuration of a training; that of one which was begun is its own."""
        from autodl.recipes.config import load_train

        known = self._folder(step, candidate.name) / CONFIG
        if known.exists():
            return load_train(known, self._pictures.overrides)
        return config_of(candidate, self._pictures, seconds)

    def _found(self) -> Architecture | None:
        """What the search has come to; None if to nothing, or if there is no time for it."""
        from autodl.spaces.codec import load_architecture

        known = self._folder(COMPARED, FOUND) / ARCHITECTURE
        if known.exists():  # its training was begun, so the search is over
            return load_architecture(known)
        return None if self._stops() else self._search()

    def _search(self) -> Architecture | None:
        """The best architecture of a search, None where all its trials failed.

        The hand-made network, which the search begins with, is left out: it is a candidate of its
        own. Where less time is left than was planned, the search has its share of it.

        Raises:
            KeyboardInterrupt: a second Ctrl-C has ended it at once.
        """
        from autodl.jobs.search.parts import load_search
        from autodl.jobs.search.run import run_search

        folder, plan = self._round.folder / SEARCH, self._plan
        behind = plan.candidate_seconds + plan.shares.retraining
        share = plan.shares.searching / (plan.shares.searching + behind)
        seconds = min(plan.shares.searching, share * self._time_left())
        if (kept := folder / CONFIG).exists():
            config = load_search(kept, self._pictures.overrides)
        else:
            config = search_of(plan, self._pictures)
        search = config.search.model_copy(update={"max_hours": round(seconds / 3600, 6)})
        self._say(f"search: {plan.trials} trials of {plan.trial_seconds:.0f} s")
        result = run_search(
            replace(config, search=search),
            folder,
            resume=True,
            observers=[_Told(self._tell)],
        )
        if result.at_once:
            raise KeyboardInterrupt
        if result.stopped == INTERRUPTED:
            self._clock.interrupt()
        with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
            return best_other(store.best(plan.trials), config)

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
