"""How far a training has come: by its updates, or by its seconds where these are nearer the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """A training of so many ``updates`` that may take so many ``seconds``; None for any number.

    Where the seconds are used up faster than the updates, the schedule is brought forward, so that
    the learning rate has come to its end when the time has: a training that is cut short ends as
    well as one that was planned to be so short.

    Source: schedules over a time budget, as Izsak et al. train in a day, arXiv:2104.07705.
    """

    updates: int
    seconds: float | None = None

    def position(self, update: int, elapsed: float) -> int:
        """The number of the update that the schedule is asked for, at least ``update`` itself.

        Args:
            update: 0 for the first.
            elapsed: seconds since the first one began.
        """
        if self.seconds is None:
            return update
        return max(update, int(self.updates * min(elapsed / self.seconds, 1.0)))

    def over(self, elapsed: float) -> bool:
        """Whether the time is used up."""
        return self.seconds is not None and elapsed >= self.seconds
