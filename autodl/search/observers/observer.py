"""The role of those who watch a search: progress displays and logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autodl.trial import Trial


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What an observer is told at the start of a run.

    ``finished`` counts the trials that an earlier, interrupted start had finished already,
    ``best`` is the best of them and ``latest`` the last one, of which a kill may have kept an
    observer from hearing; ``config`` is the resolved configuration, nested plain values; ``data``
    is a line about the pictures, empty without any.
    """

    folder: Path
    config: Mapping[str, Any]
    max_trials: int
    workers: int
    finished: int = 0
    best: Trial | None = None
    latest: Trial | None = None
    data: str = ""


class Observer(Protocol):
    """Watches a run; whatever goes wrong in it must not stop the run."""

    def started(self, run: RunInfo) -> None:
        """Called once, before the first trial."""
        ...

    def running(self, trial_ids: tuple[int, ...]) -> None:
        """Called whenever another set of trials is being evaluated."""
        ...

    def finished(self, trial: Trial, best: Trial | None, done: int) -> None:
        """Called for every trial that finishes, with the best and the count so far."""
        ...

    def reached(self, trial: Trial) -> None:
        """Called after a stage of a trial that may go on; its evaluation is that so far."""
        ...

    def learned(self, diagnostics: Mapping[str, float]) -> None:
        """Called after every update of the strategy; see ``Watchable.diagnostics``."""
        ...

    def ended(self, best: Trial | None, done: int, seconds: float) -> None:
        """Called once, also after an interruption; ``seconds`` is this start's wall clock."""
        ...


class SilentObserver:
    """An observer to which nothing matters; subclasses define what does."""

    def started(self, run: RunInfo) -> None:
        """Nothing."""

    def running(self, trial_ids: tuple[int, ...]) -> None:
        """Nothing."""

    def finished(self, trial: Trial, best: Trial | None, done: int) -> None:
        """Nothing."""

    def reached(self, trial: Trial) -> None:
        """Nothing."""

    def learned(self, diagnostics: Mapping[str, float]) -> None:
        """Nothing."""

    def ended(self, best: Trial | None, done: int, seconds: float) -> None:
        """Nothing."""
