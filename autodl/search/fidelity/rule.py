"""What becomes of a trial after a stage: the rule that decides, and its verdicts.

A trial runs in stages. After each, its values (objectives, higher is better) are reported to a
rule, which says what becomes of it; what the rule has seen never reaches the strategy, which is
told once, when the trial ends. Rules own no random state: fed with the same reports in the same
order they decide the same, which is how a resumed search rebuilds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from autodl.system.roles import Role


class Fate(Enum):
    """What becomes of a trial after a stage."""

    CONTINUE = "continue"  # go on at once
    PAUSE = "pause"  # keep its checkpoint, it may be promoted later
    STOP = "stop"  # pruned: it will not go on
    DONE = "done"  # all epochs are run


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fate and, for CONTINUE, the epoch at which the next stage ends."""

    fate: Fate
    epochs: int = 0


@runtime_checkable
class FidelityRule(Role, Protocol):
    """Decides after every stage of a trial."""

    def first_stage(self) -> int:
        """Epochs of a new trial's first stage."""
        ...

    def report(self, trial_id: int, epochs: int, values: tuple[float, ...]) -> Verdict:
        """Take in what a trial reached after so many epochs and say what becomes of it."""
        ...

    def promote(self) -> tuple[int, int] | None:
        """A paused trial that has earned more epochs, and how many in all; each only once."""
        ...

    def promoted(self, trial_id: int) -> int:
        """Take in that a trial had been promoted before a kill, and say to how many epochs."""
        ...

    def retired(self) -> list[int]:
        """Paused trials that can never be promoted any more, by id; each only once."""
        ...

    def forget(self, trial_id: int) -> None:
        """Drop what was kept for the next report of a trial: it failed, there will be none."""
        ...
