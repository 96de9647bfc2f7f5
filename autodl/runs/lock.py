"""The lock of a run's folder: one process writes to it at a time.

The lock (``flock``) is of an open file, which forked children inherit, and may outlive the
process with: importing PARL forks a server that stays for ever if a kill comes before it is shut
down. So a child lets go of what it inherits as soon as it is born, and a lock is gone with the
process that took it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from autodl.errors import StoreError

LOCK = ".lock"
_PATIENCE = 1.0  # seconds; a child that was just being born when its parent was killed has them
_DYING = 60.0  # seconds for a process that was killed, and whose memory is still being freed
_PF_EXITING = 0x4  # of the kernel's flags of a process

_held: set[IO[str]] = set()


def _let_go() -> None:
    for lock in _held:
        lock.close()  # not unlocked: that would unlock it for the parent as well
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(folder: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Be the only process that writes to a folder, which is made if missing.

    Args:
        folder: to lock.
        patience: seconds to wait for another process, which may be infinite.

    Raises:
        StoreError: another one does, or the folder cannot be written or locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, "a+", encoding="ascii")  # noqa: SIM115  (held for the block)
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; choose another --out folder"
        ) from None
    with lock:
        try:
            _lock_soon(lock, patience)
        except BlockingIOError:
            raise StoreError(
                f"another process is writing to {folder} (its id: {_holder(lock) or 'unknown'});"
                " wait for it, or choose another folder"
            ) from None
        except OSError as error:
            raise StoreError(
                f"cannot lock {folder}: {error.strerror}; choose a folder on another file system"
            ) from None
        _held.add(lock)
        try:
            yield
        finally:
            _held.discard(lock)


def _lock_soon(lock: IO[str], patience: float) -> None:
    """Take a lock, and wait so long for it; longer while the process that holds it is dying.

    Raises:
        BlockingIOError: another process keeps it.
        OSError: this file system has no locks, or is full.
    """
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited > max(patience, _DYING if is_dying(_holder(lock)) else 0.0):
                raise
        else:
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            return lock.flush()
        time.sleep(_PATIENCE / 20)


def _holder(lock: IO[str]) -> int | None:
    """The process that took a lock last, by its id; None if a version of before took it."""
    lock.seek(0)
    try:
        return int(lock.read(20))
    except ValueError:
        return None


def is_dying(process: int | None) -> bool:
    """Whether a process was killed and is still there, as far as Linux tells; else False.

    Also where it has ended and its parent has not asked how.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # proc(5): the fields after the name, which is in parentheses, begin with the third
    fields = stat.rpartition(")")[2].split()
    flags, pending = int(fields[9 - 3]), int(fields[31 - 3])
    return bool(flags & _PF_EXITING or pending & 1 << signal.SIGKILL - 1)
