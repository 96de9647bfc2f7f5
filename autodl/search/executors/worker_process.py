"""A worker process seen from the driver: starting it, talking to it, measuring and ending it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, BinaryIO

from autodl.errors import StoreError
from autodl.system.children import command

READY = "ready"  # a worker's first message: its evaluator is made, trials may come
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EncodedArchitecture:
    """An architecture as its text, for processes that need not know its kind (a plugin's)."""

    text: str

    def to_json(self) -> dict[str, Any]:
        """The object that the text stands for."""
        value: dict[str, Any] = json.loads(self.text)
        return value


class WorkerProcess:
    """A fresh interpreter that runs ``autodl.search.executors.worker``; its output goes to ``log``.

    Args:
        setup: its first message: the evaluator's factory, the factory's argument, the seed.
        environment: variables on top of this process's own.

    Raises:
        StoreError: the log cannot be written.
    """

    def __init__(self, setup: object, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.connection: Connection[Any, Any]
        self.connection, theirs = Pipe()
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        with theirs, _append(log) as output:
            self.process = subprocess.Popen(
                command("autodl.search.executors.worker:main", theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=variables,
                # of its own: Ctrl-C is for the driver, also while the worker still starts
                start_new_session=True,
            )
        self.send(setup)

    def send(self, message: object) -> bool:
        """Send a message; False if the process is gone."""
        try:
            self.connection.send(message)
        except OSError:
            return False
        return True

    def receive(self) -> object:
        """The next message, waited for.

        Raises:
            EOFError, OSError: the process is gone, perhaps in the middle of a message.
        """
        message: object = self.connection.recv()
        return message

    def memory_bytes(self) -> int:
        """Bytes in memory now, shared pages included; 0 once the process is gone."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """Send SIGKILL; ``end`` waits for what comes of it."""
        self.process.kill()

    def end(self) -> str:
        """See to it that the process is gone, and say how it went."""
        self.connection.close()
        try:
            code = self.process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            with suppress(subprocess.TimeoutExpired):  # stuck in the kernel: nothing more helps
                self.process.wait(_PATIENCE_SECONDS)
            return "its pipe was closed but it went on, so it was killed"
        if code >= 0:
            return f"exit code {code}"
        known = {number.value: number.name for number in signal.Signals}
        return f"signal {-code}, {known.get(-code, 'a real-time signal')}"


def can_measure_memory() -> bool:
    """Whether this system tells how much memory a process uses."""
    return Path("/proc/self/statm").is_file()


def _append(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return open(log, "ab")
    except OSError as error:
        raise StoreError(
            f"cannot write {log}: {error.strerror}. Free some space or choose another folder"
        ) from None
