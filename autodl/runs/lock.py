"""The lock of a run's folder: one process writes to it at a time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from autodl.errors import StoreError

LOCK = ".lock"
_PATIENCE = 1.0  # seconds


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that writes to a folder, which is made if missing.

    Raises:
        StoreError: another one does, or the folder cannot be written or locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, "a")  # noqa: SIM115  (held for as long as the block)
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; choose another --out folder"
        ) from None
    with lock:
        try:
            _lock_soon(lock)
        except BlockingIOError:
            raise StoreError(
                f"another process is writing to {folder}; wait for it, or choose another folder"
            ) from None
        except OSError as error:
            raise StoreError(
                f"cannot lock {folder}: {error.strerror}; choose a folder on another file system"
            ) from None
        yield


def _lock_soon(lock: IO[str]) -> None:
    """Take a lock, which what a killed process was just starting may hold for a moment longer.

    Raises:
        BlockingIOError: another process keeps it.
        OSError: this file system has no locks.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(_PATIENCE / 20)
