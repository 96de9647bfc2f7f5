"""The time that a fit has, and whether somebody has asked for its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from autodl.system.interrupts import Interrupts


class Clock:
    """Counts down so many minutes from ``began``, a reading of ``time.monotonic``."""

    def __init__(self, minutes: float, began: float) -> None:
        self.began, self.seconds = began, 60 * minutes
        already = time.monotonic() - began
        self._used = max(time.process_time() - already, 0.0)  # before the beginning
        self._interrupts = Interrupts("finishing with the best so far")

    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def left(self) -> float:
        """Seconds until the deadline; negative behind it."""
        return self.seconds - self.spent()

    def burden(self) -> float:
        """Seconds for each processor second of this process so far, at least 1."""
        return max(1.0, self.spent() / max(time.process_time() - self._used, 0.1))

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has asked for the end."""
        return self._interrupts.asked

    def interrupt(self) -> None:
        """Ask for the end, as Ctrl-C does."""
        self._interrupts.asked = True

    def heeding(self) -> AbstractContextManager[None]:
        """Within the block a first Ctrl-C asks for the end, and a second one breaks off."""
        return self._interrupts.heeding()


def every(seconds: float, tell: Callable[[str], None]) -> Callable[[str], None]:
    """``tell`` of the first line, and of others not sooner than so long behind the last told."""
    last = float("-inf")

    def told(line: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= seconds:
            last = now
            tell(line)

    return told


def time_text(seconds: float) -> str:
    """``12:05``, minutes and seconds, of a time that is not negative."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    return f"{minutes}:{rest:02d}"
