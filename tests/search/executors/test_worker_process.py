"""Worker processes: whose signals reach them, and that they end with their driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT, HERE = Path(__file__).resolve().parents[3], Path(__file__).resolve().parents[1]
DRIVER = """
import signal, sys, time
from pathlib import Path
from autodl.search.executors.worker_process import WorkerProcess
signal.signal(signal.SIGINT, lambda *_: None)
setup = ("evaluators_for_tests:make", {"scale": 2.0}, 11)
worker = WorkerProcess(setup, Path(sys.argv[1]), {})
print(worker.process.pid, flush=True)
print(worker.receive(), flush=True)
time.sleep(60)
"""


def test_ctrl_c_while_a_worker_starts_is_the_drivers_alone_and_it_dies_with_the_driver(tmp_path):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "log")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        worker = int(driver.stdout.readline())
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does; the worker has just begun
        assert driver.stdout.readline() == "ready\n"
    finally:
        driver.kill()
        driver.communicate()
    end = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
