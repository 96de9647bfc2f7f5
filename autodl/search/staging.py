"""Trials in stages: after each, a fidelity rule says what becomes of the trial.

What a trial has reached is stored before the rule hears of it; a search that goes on after a
kill tells a fresh rule the stored reports in their order. The state of every training that may
go on is kept in a folder; where it is missing or damaged, the training starts again and comes to
the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from autodl.errors import StoreError
from autodl.runs.store import Proposal, TrialStore
from autodl.search.fidelity.rule import Fate, FidelityRule, Verdict
from autodl.system.files import write_bytes
from autodl.system.state import decode_state
from autodl.trial import Evaluation, Stage, Trial, TrialState


class Staging:
    """Takes trials through their stages.

    Args:
        rule: as new; ``recover`` brings it up to date from the store.
        folder: for checkpoints; made when it is needed.
        objectives: what the rule compares, higher is better.
    """

    def __init__(
        self,
        rule: FidelityRule,
        store: TrialStore,
        folder: Path,
        objectives: Callable[[Evaluation], tuple[float, ...]],
    ) -> None:
        self._rule = rule
        self._store = store
        self._folder = folder
        self._objectives = objectives
        self._goal: dict[int, int] = {}  # epochs of the stage that a trial is in
        self._reached: dict[int, int] = {}  # epochs of a paused trial
        self._repeating: set[int] = set()  # their stage was broken off once
        self._going_on: deque[tuple[int, int]] = deque()
        self._ended: deque[Trial] = deque()

    def recover(self) -> None:
        """Go through the stored reports, and give paused trials the fate of their last one.

        Once, before all else, after ``store.reset_running``: a trial that is stored as running, or
        as paused with the reason for which its stage was broken off, had been promoted, or was told
        to go on, and does.
        """
        store, verdicts = self._store, dict[int, Verdict]()
        for report in store.reports():
            verdicts[report.trial_id] = self._rule.report(
                report.trial_id, report.epochs, report.objectives
            )
            self._reached[report.trial_id] = report.epochs
        running = {trial.id: trial for trial in store.running()}
        paused = {trial.id: trial for trial in store.paused()}
        left = running | paused
        for trial_id in verdicts.keys() - left.keys():
            self._rule.forget(trial_id)
        self._reached = {i: epochs for i, epochs in self._reached.items() if i in left}
        for trial_id in sorted({*running, *(i for i, trial in paused.items() if trial.reason)}):
            if verdicts[trial_id].fate is Fate.PAUSE:
                verdicts[trial_id] = Verdict(Fate.CONTINUE, self._rule.promoted(trial_id))
        # not before: a later report or the state tells that a trial was promoted in time
        retired = set(self._rule.retired())
        for trial_id in sorted(left):
            verdict = Verdict(Fate.STOP) if trial_id in retired else verdicts[trial_id]
            self._follow(left[trial_id], verdict)
        wanted = set(map(self._path, self._reached, self._reached.values()))
        for path in set(self._folder.glob("*.safetensors")) - wanted:
            with suppress(OSError):
                path.unlink()

    def first(self, proposal: Proposal) -> Stage:
        """The stage that a new trial begins with."""
        self._goal[proposal.id] = self._rule.first_stage()
        return Stage(self._goal[proposal.id])

    def next(self) -> tuple[Proposal, Stage] | None:
        """A trial that goes on, if there is one, and its stage."""
        while (found := self._next_id()) is not None:
            trial_id, epochs = found
            if trial_id not in self._reached:
                continue  # promoted, but it has ended
            self._goal[trial_id] = epochs
            proposal = Proposal(trial_id, self._store.trial(trial_id).architecture, 0)
            return proposal, Stage(epochs, self._read(trial_id))
        return None

    def _next_id(self) -> tuple[int, int] | None:
        return self._going_on.popleft() if self._going_on else self._rule.promote()

    def settle(self, trial: Trial, *, cut: bool = False) -> None:
        """Take in a stage that was run; ``ended`` has the trials that this ends.

        A later stage that was broken off is run again, from what the trial had reached: once in
        this start, since it may be the training that kills its worker, or in the next one after
        the search was ``cut``. Broken off again, the trial is PRUNED.
        """
        epochs = self._goal.pop(trial.id)
        before = self._reached.get(trial.id)
        if before is not None:
            trial = replace(trial, seconds=trial.seconds + self._store.trial(trial.id).seconds)
        broken_off = trial.broken_off and before is not None
        if broken_off and (cut or trial.id not in self._repeating):
            self._store.pause(trial)
            self._repeating.add(trial.id)
            self._going_on.append((trial.id, epochs))
            return
        if trial.evaluation is None:
            self._rule.forget(trial.id)
            if broken_off:
                evaluation = self._store.trial(trial.id).evaluation
                trial = replace(
                    trial,
                    state=TrialState.PRUNED,
                    evaluation=evaluation,
                    reason="",  # which names whose result was reused
                    traceback=trial.reason,
                )
            self._end(trial)
            return
        values = self._objectives(trial.evaluation)
        self._write(trial.id, epochs, trial.evaluation.checkpoint)
        trial = replace(trial, evaluation=replace(trial.evaluation, checkpoint=b""))
        self._store.report(trial, epochs, values)
        self._reached[trial.id] = epochs
        self._repeating.discard(trial.id)
        if before is not None:
            self._remove(trial.id, before)
        self._follow(trial, self._rule.report(trial.id, epochs, values))
        for retired in self._rule.retired():
            if retired in self._reached:
                self._end(replace(self._store.trial(retired), state=TrialState.PRUNED))

    def ended(self) -> Trial | None:
        """A trial that a rule or a failure has ended, to be stored as finished."""
        return self._ended.popleft() if self._ended else None

    def give_up(self) -> None:
        """End all paused trials: nothing that may come promotes one."""
        for trial in self._store.paused():
            self._end(replace(trial, state=TrialState.PRUNED))

    def _follow(self, trial: Trial, verdict: Verdict) -> None:
        if verdict.fate is Fate.CONTINUE:
            self._going_on.append((trial.id, verdict.epochs))
        elif verdict.fate is Fate.STOP:
            self._end(replace(trial, state=TrialState.PRUNED))
        elif verdict.fate is Fate.DONE:
            self._end(replace(trial, state=TrialState.COMPLETE))

    def _end(self, trial: Trial) -> None:
        self._ended.append(trial)
        if (epochs := self._reached.pop(trial.id, None)) is not None:
            self._remove(trial.id, epochs)

    def _path(self, trial_id: int, epochs: int) -> Path:
        return self._folder / f"trial-{trial_id:06d}-epoch-{epochs:04d}.safetensors"

    def _write(self, trial_id: int, epochs: int, checkpoint: bytes) -> None:
        if checkpoint:
            write_bytes(self._path(trial_id, epochs), checkpoint)

    def _read(self, trial_id: int) -> bytes:
        """The checkpoint of a paused trial; nothing if it is gone or damaged."""
        try:
            checkpoint = self._path(trial_id, self._reached[trial_id]).read_bytes()
            decode_state(checkpoint)
        except (OSError, StoreError):
            return b""
        return checkpoint

    def _remove(self, trial_id: int, epochs: int) -> None:
        with suppress(OSError):
            self._path(trial_id, epochs).unlink()
