"""Keeping what libraries print, in Python or in C++, out of the tools' output."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Collect what the process prints within a block, in place of showing it.

    Yields:
        A function that gives what was printed so far.
    """
    with tempfile.TemporaryFile("a+", encoding="utf-8", errors="replace") as said:

        def printed() -> str:
            _flush()
            said.seek(0)
            return said.read()

        _flush()
        kept = [os.dup(1), os.dup(2)]
        try:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            # sys.stdout need not be a stream to the former: not in notebooks, not in tests
            with redirect_stdout(said), redirect_stderr(said):
                yield printed
        finally:
            _flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # C's own buffers, which else come out later
