"""Ctrl-C as a request: what runs is brought to its end, and only a second one breaks it off."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether somebody has asked to stop; ``text`` is what he is told then."""

    def __init__(self, text: str) -> None:
        self.asked = False
        self._text = text

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Within the block, a first Ctrl-C only sets ``asked``.

        SIGTERM, as batch systems and containers send it, counts as a second one: at once. In
        threads other than the main one signals cannot be caught, and nothing changes.

        Raises:
            KeyboardInterrupt: at a second Ctrl-C, or at SIGTERM.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True
            print(f"\n{self._text}; Ctrl-C again stops at once", file=sys.stderr)

        def leave(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, handle), signal.signal(signal.SIGTERM, leave)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before[0])
            signal.signal(signal.SIGTERM, before[1])
