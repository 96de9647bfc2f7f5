"""Writes what happens in a search to ``RUN/vdl``, for ``visualdl --logdir RUN/vdl``."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from autodl.config.components import read_component
from autodl.errors import AutoDLError
from autodl.objectives.trade_off import Goals, TradeOff
from autodl.runs.event_log import EventLog
from autodl.runs.folder import LOG, TRIALS, run_config
from autodl.runs.store import TrialStore
from autodl.search.observers.observer import RunInfo
from autodl.search.observers.outcome import diagnostics_shown, quality_of, shown_as
from autodl.spaces.codec import encode_text
from autodl.spaces.space import Coded
from autodl.strategies.surrogate.importance import (
    FEWEST,
    Importance,
    explanation,
    importance_in,
)
from autodl.tasks.task import REWARD, Metric
from autodl.trial import Trial, TrialState

SECONDS_BETWEEN_PICTURES = 5.0
CURVES = 200
DECISIONS = 20  # that the picture of their importance shows
_PAUSE_PER_SECOND = 20.0  # so that pictures take at most 5% of the time
_COUNTS = ("pruned", "reused", "failed")
_NOT_DRAWN = (
    "epoch",
    "seconds",
    "compute_seconds",
    "teacher_seconds",
)  # of a trial's curve: of no use as curves

_Arguments = ParamSpec("_Arguments")
_LOGGER = logging.getLogger("autodl")


def _harmless(
    method: Callable[Concatenate[VisualDLLog, _Arguments], None],
) -> Callable[Concatenate[VisualDLLog, _Arguments], None]:
    """Turn whatever a method raises into one warning for the whole run."""

    @functools.wraps(method)
    def guarded(self: VisualDLLog, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # a log must never stop a run
            if not self.warned:
                self.warned = True
                _LOGGER.warning("the VisualDL log is incomplete: %s", error, exc_info=error)

    return guarded


class VisualDLLog:
    """Logs a search for VisualDL; implements ``Observer``.

    ``search/reward`` has the trial's id as its step, and so has ``search/pruned_reward``, of trials
    that were trained in part; where the reward is the negative of an error, the error stands under
    its own name in their place (``search/absolute_error``), and ``search/best`` is the lowest.
    ``search/best`` and the counts ``search/failed``, ``search/pruned``
    and ``search/reused`` have the number of finished trials. ``agent/...`` are the strategy's
    diagnostics by update. The epochs of a trial are a run of their own, ``trials/0007``, so that
    VisualDL lays the curves of chosen trials over each other. ``best/cell`` is the best
    architecture drawn, ``best/architecture`` its JSON; the hyper-parameters have ``search/best``
    as their result. With objectives, ``best/front`` is the Pareto front, by the number of
    finished trials. When the search ends, ``best/decisions`` shows which decisions of its space
    mattered (``best/decisions_text`` in words), if it has rows and at least 30 complete trials.

    Args:
        curves: the first so many trials get their epochs drawn, and after them every new best:
            VisualDL's page cannot list thousands of runs. The store has the epochs of all.
        seconds_between_pictures: a new best cell or front is drawn at most so often, and at
            the end; pictures that take long to draw are drawn less often.
    """

    def __init__(
        self,
        *,
        curves: int = CURVES,
        seconds_between_pictures: float = SECONDS_BETWEEN_PICTURES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.warned = False
        self._curves = curves
        self._seconds_between_pictures = seconds_between_pictures
        self._clock = clock
        self._log: EventLog | None = None
        self._folder: Path | None = None
        self._counts: dict[str, int] = {}
        self._not_drawn: Trial | None = None
        self._next_picture = -float("inf")
        self._can_draw = True
        self._goals = Goals()
        self._metric = REWARD
        self._quality = REWARD
        self._trade_off: TradeOff | None = None
        self._front_at: int | None = None  # trials that were finished when it last changed

    @_harmless
    def started(self, run: RunInfo) -> None:
        """Open the log, or continue it."""
        self._log, self._folder = EventLog(run.folder / LOG), run.folder
        self._metric, self._quality = shown_as(run.config), quality_of(run.config)
        self._counts = {name: int(self._log.last(f"search/{name}") or 0) for name in _COUNTS}
        self._log.hyper_parameters(_settings(run.config), ["search/best"])
        if run.latest is not None and not self._log.has("search/failed", run.finished):
            self.finished(run.latest, run.best, run.finished)
        self._goals = Goals.of(run.config)
        if self._goals.costs:
            self._recall(run)

    def _recall(self, run: RunInfo) -> None:
        """Begin the trade-off with the trials that earlier starts have finished."""
        self._trade_off = TradeOff(self._goals.costs)
        if not run.finished:
            return
        with closing(TrialStore(run.folder / TRIALS, read_only=True)) as store:
            for done, trial in enumerate(store.finished(), start=1):
                if self._trade_off.add(trial):
                    self._front_at = done

    def running(self, trial_ids: tuple[int, ...]) -> None:
        """Nothing to log."""

    @_harmless
    def finished(self, trial: Trial, best: Trial | None, done: int) -> None:
        """Log the trial's reward and curve, and the best so far."""
        if self._log is None:
            return
        is_best = best is not None and best.id == trial.id
        if trial.reward is not None:
            part = "pruned_" if trial.state is TrialState.PRUNED else ""
            tag = f"search/{part}{self._metric.name}"
            self._log.scalar(tag, self._metric.value(trial.reward), trial.id)
        if best is not None and best.reward is not None:
            self._log.scalar("search/best", self._metric.value(best.reward), done)
        if trial.evaluation is not None and (is_best or trial.id < self._curves):
            points = [
                {key: value for key, value in epoch.items() if key not in _NOT_DRAWN}
                for epoch in trial.evaluation.curve
            ]
            self._log.curve(f"trials/{trial.id:04d}", points, "epoch")
        if best is not None and is_best:
            self._log.text("best/architecture", encode_text(best.architecture), best.id)
            self._not_drawn = best
        if self._trade_off is not None and self._trade_off.add(trial):
            self._front_at = done
        self._count(trial, done)
        if self._clock() >= self._next_picture:
            self._draw()

    def _count(self, trial: Trial, done: int) -> None:
        """Count what became of a trial; only failures get a number where there were none."""
        if self._log is None:
            return
        happened = {
            "pruned": trial.state is TrialState.PRUNED,
            "reused": trial.reused,
            # last: a trial that lacks it after a kill is logged again
            "failed": trial.state is TrialState.FAILED,
        }
        for name, did in happened.items():
            if not self._log.has(f"search/{name}", done):
                self._counts[name] += did
            if did or name == "failed":
                self._log.scalar(f"search/{name}", self._counts[name], done)

    def reached(self, trial: Trial) -> None:
        """Nothing to log: the curve comes when the trial ends."""

    @_harmless
    def learned(self, diagnostics: Mapping[str, float]) -> None:
        """Log the numbers of an update of the strategy."""
        if self._log is None:
            return
        numbers = diagnostics_shown(diagnostics, self._quality)
        update = int(numbers.pop("update"))
        for name, value in numbers.items():
            self._log.scalar(f"agent/{name}", value, update)

    @_harmless
    def ended(self, best: Trial | None, done: int, seconds: float) -> None:
        """Draw a best cell or a front that came too soon after another, and close the log."""
        if self._log is None:
            return
        try:
            self._draw()
            self._draw_importance(done)
        finally:
            self._log.close()
            self._log = None

    def _draw(self) -> None:
        """Add the pictures of what is new: the best architecture, the front."""
        began = self._clock()
        drawn = [self._draw_best(), self._draw_front()]
        if any(drawn):
            now = self._clock()
            pause = max(self._seconds_between_pictures, _PAUSE_PER_SECOND * (now - began))
            self._next_picture = now + pause

    def _draw_best(self) -> bool:
        trial, self._not_drawn = self._not_drawn, None
        if trial is None or self._log is None or not self._can_draw:
            return False
        from autodl.drawing.cells import draw_architecture
        from autodl.drawing.figures import to_pixels

        try:
            figure = draw_architecture(trial.architecture, title=_caption(trial, self._metric))
        except AutoDLError:
            self._can_draw = False  # the architectures of this space have no drawing
            return False
        self._log.picture("best/cell", to_pixels(figure), trial.id)
        return True

    def _draw_front(self) -> bool:
        done, self._front_at = self._front_at, None
        if done is None or self._log is None or self._trade_off is None:
            return False
        from autodl.drawing.figures import to_pixels
        from autodl.drawing.pareto import draw_front

        title = f"Pareto front after {done} trials"
        figure = draw_front(self._trade_off, self._goals.limits, title, quality=self._quality)
        self._log.picture("best/front", to_pixels(figure), done)
        return True

    def _draw_importance(self, done: int) -> None:
        """Add a picture and a text of which decisions mattered, if that can be told."""
        if self._log is None or self._folder is None or done < FEWEST:
            return
        if self._log.has("best/decisions", done) or (found := _importance(self._folder)) is None:
            return
        from autodl.drawing.figures import to_pixels
        from autodl.drawing.importance import draw_importance

        shown = found.decisions[:DECISIONS]
        title = f"after {done} trials; {explanation(found.explained)}"
        self._log.picture("best/decisions", to_pixels(draw_importance(shown, title)), done)
        lines = [f"{share:.3f}  {name}" for name, share in shown]
        self._log.text("best/decisions_text", "\n".join([title, *lines]), done)


def _importance(folder: Path) -> Importance | None:
    """That of a run's complete trials; None where the space has no rows, or too little is known."""
    chosen = read_component(run_config(folder), "Space")
    space = chosen.factory()(**chosen.arguments())
    if not isinstance(space, Coded):
        return None
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        complete = [one for one in store.finished() if one.state is TrialState.COMPLETE]
    rewards = [one.reward for one in complete if one.reward is not None]
    try:
        return importance_in(space, [one.architecture for one in complete], rewards)
    except ValueError:  # too few that differ
        return None


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without the note, which is prose for the end of the run."""
    settings = dict(config)
    if "Search" in settings:
        settings["Search"] = {k: v for k, v in settings["Search"].items() if k != "note"}
    return settings


def _caption(trial: Trial, metric: Metric) -> str:
    metrics: Mapping[str, Any] = trial.evaluation.metrics if trial.evaluation else {}
    parts = [f"trial {trial.id}"]
    if trial.reward is not None:
        parts.append(f"{metric.label} {metric.digits(trial.reward)}")
    if "parameters" in metrics:
        parts.append(f"{metrics['parameters']:,.0f} parameters")
    if "macs" in metrics:
        parts.append(f"{metrics['macs']:,.0f} MACs")
    return ", ".join(parts)
