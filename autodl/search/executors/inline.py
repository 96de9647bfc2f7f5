"""Trials evaluated in this process, one at a time."""

from __future__ import annotations

from collections import deque

from autodl.runs.store import Proposal
from autodl.search.evaluate import Evaluator, evaluate_trial
from autodl.trial import Stage, Trial


class InlineExecutor:
    """Evaluates in this process, one trial at a time; simple to debug.

    It can neither limit a trial's time and memory nor cut it short.
    """

    workers = 1

    def __init__(self, evaluator: Evaluator, seed: int) -> None:
        self._evaluator = evaluator
        self._seed = seed
        self._queue: deque[tuple[Proposal, Stage | None]] = deque()

    def submit(self, proposal: Proposal, stage: Stage | None = None) -> None:
        """Remember the proposal until ``wait``."""
        self._queue.append((proposal, stage))

    def running(self) -> tuple[int, ...]:
        """The remembered proposal, if any."""
        return tuple(proposal.id for proposal, _ in self._queue)

    def wait(self, timeout: float | None = None) -> Trial:
        """Evaluate the remembered proposal, however long it takes."""
        proposal, stage = self._queue.popleft()
        return evaluate_trial(
            self._evaluator, proposal.id, proposal.architecture, self._seed, stage
        )

    def cut(self, reason: str) -> list[Trial]:
        """Forget the remembered proposal, which has not begun."""
        self._queue.clear()
        return []

    def close(self) -> None:
        """Nothing to stop."""
        self._queue.clear()
