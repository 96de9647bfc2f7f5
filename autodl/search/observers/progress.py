"""Shows a search's progress: live on a terminal, one line per event in a pipe."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from autodl.search.observers.observer import Observer, RunInfo
from autodl.search.observers.outcome import (
    diagnostics_shown,
    full_epochs,
    one_line,
    outcome,
    quality_of,
    reached,
    shown_as,
)
from autodl.tasks.task import REWARD, Metric
from autodl.trial import Trial, TrialState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live


def console_progress(stream: TextIO) -> Observer:
    """The display that suits a stream: live on a terminal, else plain lines without colours."""
    if stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
        return LiveProgress(stream)
    return LineProgress(stream)


@dataclass(slots=True)
class Tally:
    """What both displays count. ``done`` includes the ``earlier`` starts, the counts below do not.

    ``epochs`` are those of a whole training, None if the run has none.
    """

    max_trials: int = 0
    workers: int = 1
    epochs: int | None = None
    metric: Metric = REWARD
    quality: Metric = REWARD
    best: Trial | None = None
    done: int = 0
    earlier: int = 0
    failed: int = 0
    pruned: int = 0
    reused: int = 0
    _measured: int = 0
    _seconds: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, run: RunInfo) -> Tally:
        """The tally at the start of a run."""
        epochs = full_epochs(run.config)
        metric, quality = shown_as(run.config), quality_of(run.config)
        workers = max(run.workers, 1)
        done = run.finished
        return cls(run.max_trials, workers, epochs, metric, quality, run.best, done, done)

    def add(self, trial: Trial, best: Trial | None, done: int) -> None:
        """Count a finished trial."""
        self.done, self.best = done, best
        self.failed += trial.state is TrialState.FAILED
        self.pruned += trial.state is TrialState.PRUNED
        self.reused += trial.reused
        self._measured += 1
        self._seconds += trial.seconds

    @property
    def before(self) -> str:
        """How many of those done are of earlier starts, whose seconds and failures are not told."""
        return f" ({self.earlier} of them before)" if self.earlier else ""

    @property
    def further(self) -> tuple[tuple[str, int], ...]:
        """Counts that are worth a word only where there is something to count."""
        counts = (("pruned", self.pruned), ("reused", self.reused))
        return tuple((name, count) for name, count in counts if count)

    @property
    def seconds_left(self) -> float | None:
        """Trials to come times their mean seconds, divided by workers; None before the first.

        Where trials are so short that learning and storing take longer, the wall clock counts.
        """
        if not self._measured:
            return None
        left = max(self.max_trials - self.done, 0)
        wall = time.monotonic() - self._begun
        return left * max(self._seconds / self.workers, wall) / self._measured


class LineProgress:
    """A line per finished trial and per update, in the shape that Paddle's tools print.

    A stream that can no longer be written (its reader went away) silences the display.
    """

    def __init__(self, stream: TextIO, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._stream = stream
        self._now = now
        self._tally = Tally()
        self._broken = False

    def started(self, run: RunInfo) -> None:
        """Say what is going to happen."""
        self._tally = Tally.of(run)
        earlier = f", finished before: {run.finished}" if run.finished else ""
        self._print(
            f"[Search][Start] trials: {run.max_trials}, workers: {run.workers}{earlier}, "
            f"folder: {run.folder}"
        )
        if run.data:
            self._print(f"[Search][Data] {run.data}")

    def running(self, trial_ids: tuple[int, ...]) -> None:
        """Nothing: a line per start would only double the output."""

    def finished(self, trial: Trial, best: Trial | None, done: int) -> None:
        """Print the trial's reward, or why it has none."""
        self._tally.add(trial, best, done)
        result = outcome(trial, self._tally.epochs, self._tally.metric)
        self._print(
            f"[Search][Trial {done}/{self._tally.max_trials}] id: {trial.id}, {result}, "
            f"best: {_best(best, self._tally.metric)}, seconds: {trial.seconds:.1f}, "
            f"eta: {_duration(self._tally.seconds_left)}"
        )

    def reached(self, trial: Trial) -> None:
        """Print how far the trial has come."""
        if trial.evaluation is not None:
            epochs, metric = reached(trial.fidelity, self._tally.epochs), self._tally.metric
            self._print(
                f"[Search][Stage] id: {trial.id}, {epochs}, "
                f"{metric.label}: {metric.digits(trial.evaluation.reward)}, "
                f"seconds: {trial.seconds:.1f}"
            )

    def learned(self, diagnostics: Mapping[str, float]) -> None:
        """Print the numbers of an update."""
        shown = _numbers(diagnostics_shown(diagnostics, self._tally.quality))
        self._print(f"[Search][Update {diagnostics['update']:.0f}] {shown}")

    def ended(self, best: Trial | None, done: int, seconds: float) -> None:
        """Print the outcome."""
        further = "".join(f"{name}: {count}, " for name, count in self._tally.further)
        self._print(
            f"[Search][End] trials: {done}/{self._tally.max_trials}{self._tally.before}, "
            f"best: {_best(best, self._tally.metric)}, "
            f"failed: {self._tally.failed}, {further}seconds: {seconds:.1f}"
        )

    def _print(self, message: str) -> None:
        if self._broken:
            return
        try:
            self._stream.write(f"[{self._now():%Y-%m-%d %H:%M:%S}] autodl INFO: {message}\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._broken = True


class LiveProgress:
    """A bar with the best so far, the time left and the latest update, redrawn in place."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._tally = Tally()
        self._running: tuple[int, ...] = ()
        self._diagnostics: Mapping[str, float] = {}
        self._begun = self._told_at = clock()
        self._live: Live | None = None

    def started(self, run: RunInfo) -> None:
        """Start the display."""
        from rich.console import Console
        from rich.live import Live

        self._tally = Tally.of(run)
        self._begun = self._told_at = self._clock()
        console = Console(file=self._stream, highlight=False)
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=4, transient=True
        )
        with _unbreakable():
            self._live.start()

    def running(self, trial_ids: tuple[int, ...]) -> None:
        """Show which trials are being evaluated."""
        self._running = tuple(trial_ids)

    def finished(self, trial: Trial, best: Trial | None, done: int) -> None:
        """Move the bar; a failed trial leaves a line above it."""
        self._tally.add(trial, best, done)
        self._told_at = self._clock()
        self._running = tuple(other for other in self._running if other != trial.id)
        if trial.state is TrialState.FAILED:
            self._leave(f"trial {trial.id} failed: {one_line(trial.reason)}")

    def reached(self, trial: Trial) -> None:
        """Nothing: ``running`` shows what comes next."""

    def learned(self, diagnostics: Mapping[str, float]) -> None:
        """Show the numbers of an update."""
        self._diagnostics = diagnostics_shown(diagnostics, self._tally.quality)

    def ended(self, best: Trial | None, done: int, seconds: float) -> None:
        """Replace the display by one line."""
        if self._live is not None:
            with _unbreakable():
                self._live.stop()
        failed = (("failed", self._tally.failed),) if self._tally.failed else ()
        counts = "".join(f", {count} {name}" for name, count in (*failed, *self._tally.further))
        metric = self._tally.metric
        self._leave(
            f"{done} of {self._tally.max_trials} trials{self._tally.before} in"
            f" {_duration(seconds)}, best {metric.label} {_best(best, metric)}{counts}"
        )
        self._live = None

    def _leave(self, line: str) -> None:
        """Print a line that stays, above the display."""
        if self._live is not None:
            with _unbreakable():
                self._live.console.print(line, markup=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        """The display as it is now; called several times a second."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        tally, now = self._tally, self._clock()
        left = tally.seconds_left
        if left is not None:
            left = max(left - (now - self._told_at), 0.0)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Text("search", style="bold"),
            ProgressBar(total=max(tally.max_trials, 1), completed=tally.done, width=32),
            Text(f"{tally.done}/{tally.max_trials} trials"),
            Text(f"{_duration(now - self._begun)} elapsed", style="dim"),
            Text(f"{_duration(left)} left", style="cyan"),
        )
        facts = [("best ", "dim"), (_best(tally.best, tally.metric), "bold green")]
        if self._running:
            facts += [("   running ", "dim"), (", ".join(map(str, self._running)), "")]
        if tally.failed:
            facts += [("   failed ", "dim"), (str(tally.failed), "bold red")]
        for name, count in tally.further:
            facts += [(f"   {name} ", "dim"), (str(count), "")]
        lines: list[RenderableType] = [bar, Text.assemble(*facts)]
        if self._diagnostics:
            update = f"update {self._diagnostics.get('update', 0):.0f}   "
            lines.append(Text(update + _numbers(self._diagnostics), style="dim"))
        return Group(*lines)


@contextlib.contextmanager
def _unbreakable() -> Iterator[None]:
    """Go on without a display when the terminal has gone away."""
    with contextlib.suppress(OSError, ValueError):
        yield


def _best(best: Trial | None, metric: Metric) -> str:
    if best is None or best.reward is None:
        return "none"
    return f"{metric.digits(best.reward)} (trial {best.id})"


def _numbers(diagnostics: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name}: {value:.4g}" for name, value in diagnostics.items() if name != "update"
    )


def _duration(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "-:--:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
