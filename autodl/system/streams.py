"""Standard output and error as they are: of another encoding, or closed."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

_STRICT = ("strict", "surrogateescape")  # ways to meet a character that end in an exception


def prepare_streams() -> None:
    """Let ``sys.stdout`` and ``sys.stderr`` take any text, whatever they lead to.

    A character that the encoding lacks is written as ``?``: names of classes and folders are more
    than an ASCII terminal knows. A stream that was closed (``>&-``) leads to nowhere, and so does
    its handle, or the next file to be opened would get that handle and with it everything that a
    library in C prints. To be called once, at the entry, before anything is opened; again does
    nothing.
    """
    for handle in (0, 1, 2):
        try:
            os.fstat(handle)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != handle:
                os.dup2(nowhere, handle)
                os.close(nowhere)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in _STRICT:
            with suppress(ValueError):  # closed: whoever did that knows
                stream.reconfigure(errors="replace")
