"""Lets a training keep the memory that it frees, for what it allocates next."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # parameters of mallopt
_KEEPS = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1, _TOP_PAD: 2**26}
# what glibc comes to by itself in a process of large arrays
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26, _TOP_PAD: 2**17}
_OF_THE_USER = tuple(
    f"MALLOC_{name}_" for name in ("TRIM_THRESHOLD", "TOP_PAD", "MMAP_THRESHOLD", "MMAP_MAX")
)
_LOCK = Lock()
_depth = 0


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    """The allocator's library; None: it is another one, or the user has set it by himself."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "glibc.malloc" in tunables or any(name in os.environ for name in _OF_THE_USER):
        return None
    try:
        library = ctypes.CDLL(None)
        library.mallopt, library.malloc_trim  # noqa: B018
    except (OSError, TypeError, AttributeError):
        return None
    return library


def _outside() -> None:
    """In a forked process, whose memory is its own: no block is open."""
    global _depth
    _depth = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_outside)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Memory that is freed within is used again within, and given back at the end.

    By itself glibc asks the system for each large array, and gives it back as soon as it is freed.
    The system clears the pages every time. Without that an update of 2,000 pictures of ``Airbench``
    takes three quarters of its time. What is kept lies in gaps between what is used, so the peak is
    higher (3.5 GB in place of 2.5 there). Blocks may be nested, and of several threads; the last
    one gives back what the main thread's part of memory has at its end, and leaves the thresholds
    that glibc comes to by itself in a process of large arrays.
    With another allocator, or where ``GLIBC_TUNABLES`` or ``MALLOC_..._`` in the environment say
    how memory is allocated, nothing changes.
    """
    global _depth
    library = _glibc()
    if library is None:
        yield
        return
    with _LOCK:
        _depth += 1
        if _depth == 1:
            for parameter, value in _KEEPS.items():
                library.mallopt(parameter, value)
    try:
        yield
    finally:
        with _LOCK:
            _depth -= 1
            if _depth == 0:
                for parameter, value in _USUAL.items():
                    library.mallopt(parameter, value)
                library.malloc_trim(ctypes.c_size_t(0))
