"""The role of an executor: it evaluates proposals, some at a time."""

from __future__ import annotations

from typing import Protocol

from autodl.runs.store import Proposal
from autodl.trial import Stage, Trial


class Executor(Protocol):
    """Evaluates proposals, at most ``workers`` at a time."""

    workers: int

    def submit(self, proposal: Proposal, stage: Stage | None = None) -> None:
        """Start evaluating, or only a stage; only while fewer than ``workers`` are running."""
        ...

    def running(self) -> tuple[int, ...]:
        """Ids of the trials that are submitted and not finished, in order."""
        ...

    def wait(self, timeout: float | None = None) -> Trial | None:
        """The next trial to finish; only while one is running.

        None if none did within ``timeout`` seconds; an executor may take longer than that.

        Raises:
            AutoDLError: no trial can be evaluated; those that are running have no result.
        """
        ...

    def cut(self, reason: str) -> list[Trial]:
        """Stop what is running, at once; nothing is running afterwards.

        Returns:
            Trials in the middle of their evaluation, FAILED with the reason and marked as broken
            off (so are those of workers that died), and results that had come already. Trials
            whose evaluation had not begun are given up without one.
        """
        ...

    def close(self) -> None:
        """Stop everything at once; running trials are given up."""
        ...
