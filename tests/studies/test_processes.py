"""Work in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from autodl.errors import AutoDLError
from autodl.studies.processes import pool


def test_a_single_worker_is_this_process():
    with pool(1) as mapped:
        assert list(mapped(len, ["a", "bc"])) == [1, 2]


def test_a_worker_process_that_dies_is_an_error_of_one_line(monkeypatch):
    def broken(self, function, values):
        yield 0.5
        raise BrokenProcessPool("A process in the process pool was terminated abruptly")

    monkeypatch.setattr("autodl.studies.processes.ProcessPoolExecutor.map", broken)
    died = pytest.raises(AutoDLError, match="one of the 2 worker processes died")
    with died as error, pool(2) as mapped:
        list(mapped(len, ["a", "b"]))
    assert "\n" not in str(error.value)


_KILLED = """
import os, signal, time
from pathlib import Path
from autodl.studies.processes import pool

def wait(number):
    Path(f"new-{number}").write_text(str(os.getpid()))
    Path(f"new-{number}").rename(f"worker-{number}")
    time.sleep(60)

if __name__ == "__main__":
    with pool(2) as mapped:
        list(mapped(wait, range(2)))
"""


def _alive(process):
    """Whether it runs; one that ended, and whose end nobody has asked about, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_workers_of_a_killed_parent_end(tmp_path):
    (tmp_path / "killed.py").write_text(_KILLED)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, "killed.py"], cwd=tmp_path, env=environment)
    try:
        until(lambda: len(list(tmp_path.glob("worker-*"))) == 2)
        workers = [path.read_text() for path in tmp_path.glob("worker-*")]
        assert all(map(_alive, workers))
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(map(_alive, workers)))


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
