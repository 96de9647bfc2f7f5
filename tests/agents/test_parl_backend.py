"""Importing PARL: nothing that it starts stays when the process is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest


def forked(process: int) -> list[int]:
    """Its children that run what it runs."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
        return [one for one in children if Path(f"/proc/{one}/cmdline").read_bytes() == command]
    except OSError:  # one of them has just ended
        return []


def wait_for(condition, seconds=60):  # more than the import takes on a busy machine
    """What a function gives as soon as that is true; an error after a while."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.005)
    return found


def has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_the_server_that_the_import_starts_ends_with_a_killed_process():
    run = [sys.executable, "-c", "import autodl.agents.parl_backend"]
    importing = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def servers():
        """Forks that stay: a fork that is about to run something else goes at once."""
        before = forked(importing.pid)
        time.sleep(0.05)
        return [child for child in forked(importing.pid) if child in before]

    children = wait_for(servers)
    importing.kill()
    importing.wait()
    try:
        wait_for(lambda: all(map(has_ended, children)), seconds=10)
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
