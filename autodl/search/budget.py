"""When a search stops before its trials are done: time, success, hopeless failure, or Ctrl-C."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from autodl.search.loop import Stop
from autodl.search.observers.outcome import one_line, without_numbers
from autodl.search.spent import Spent
from autodl.system.interrupts import Interrupts
from autodl.trial import Trial, TrialState

INTERRUPTED = "interrupted"


def _say(failures: Sequence[str]) -> str:
    """How many trials failed, and the reason that most of them give."""
    alike, count = Counter(map(without_numbers, failures)).most_common(1)[0]
    reason = next(reason for reason in failures if without_numbers(reason) == alike)
    share = "all" if count == len(failures) else f"{count} of them"
    return f"the first {len(failures)} trials failed, {share} like this: {one_line(reason)}"


class Budget:
    """The ``stop`` of a search; see ``autodl.search.loop.search``.

    When the hours are over, running trials are cut: FAILED, because another machine would have
    come further, never half a reward; one in a later stage is PAUSED and goes on with it in the
    next start. A reward that is enough, core-hours that are spent, or a first Ctrl-C let them
    finish; a second Ctrl-C gives them up, to be evaluated again when the run is resumed. If all
    trials fail from the first on, the setup is at fault, and no more are started.

    Args:
        max_hours: wall clock of this start; None for no limit.
        max_core_hours: of the processor, in all trials of all starts; None for no limit.
        spent: what trials of earlier starts took; those that finish are added to it.
        target_reward: a reward that is enough; None to go on.
        best: the best reward of earlier starts, None without any.
        first_failures: trials of this start that may fail before one has a result; None for any
            number. Where earlier starts had results, they do not matter.
    """

    def __init__(
        self,
        *,
        max_hours: float | None = None,
        max_core_hours: float | None = None,
        spent: Spent | None = None,
        target_reward: float | None = None,
        best: float | None = None,
        first_failures: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason = ""
        self._clock = clock
        self._end = None if max_hours is None else clock() + 3600 * max_hours
        self._hours = max_hours
        self._core_hours = max_core_hours
        self._spent = spent or Spent()
        self._target = target_reward
        self._best = best
        self._most_failures = first_failures if best is None else None
        self._failures: list[str] = []  # reasons, until a trial has a result
        self._interrupts = Interrupts("stopping when the running trials are finished")

    def __call__(self, trial: Trial | None) -> Stop | None:
        """Why the search should stop now, if it should."""
        if trial is not None:
            self._spent.take(trial)
        if trial is not None and trial.state is TrialState.COMPLETE and trial.reward is not None:
            self._best = max(trial.reward, trial.reward if self._best is None else self._best)
        if trial is not None and trial.reward is not None:
            self._most_failures = None
        elif trial is not None:
            self._failures.append(trial.reason)
        stop = self._stop()
        if stop is not None:
            self.reason = stop.reason
        return stop

    def _stop(self) -> Stop | None:
        if self._end is not None and self._clock() >= self._end:
            return Stop(f"the time budget of {self._hours:g} hours is used up", cut=True)
        if self._core_hours is not None and self._spent.seconds >= 3600 * self._core_hours:
            return Stop(f"the budget of {self._core_hours:g} core-hours is used up")
        if self._target is not None and self._best is not None and self._best >= self._target:
            return Stop(f"the target reward {self._target:g} is reached")
        if self._most_failures is not None and len(self._failures) >= self._most_failures:
            return Stop(_say(self._failures))
        return Stop(INTERRUPTED) if self._interrupts.asked else None

    def heeding_interrupts(self) -> AbstractContextManager[None]:
        """Within the block, a first Ctrl-C only asks the search to stop; see ``Interrupts``."""
        return self._interrupts.heeding()
