"""Runs a search in a folder that is killed again and again, and resumed until it is done.

``python forking_driver.py CONFIG FOLDER SEED TARGET ... -- OVERRIDE ...``: the search is killed
by SIGKILL a random moment after TARGET trials are finished, once for each target. It runs in forks
of this process, so that Paddle is imported only once.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path

from autodl.assemble import load_search
from autodl.experiment import run_search
from autodl.search.run_folder import TRIALS


def finished(folder):
    try:
        with closing(sqlite3.connect(f"{(folder / TRIALS).as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(finish_order) FROM trials").fetchone()[0]
    except sqlite3.Error:
        return 0


def main(config_path, folder, seed, targets, overrides):
    config = load_search(config_path, overrides)
    import_module(config.strategy.entry.factory.partition(":")[0])
    draw = random.Random(seed)
    for target in [*targets, None]:
        child = os.fork()
        if not child:
            status = 1
            try:
                run_search(config, folder, resume=True)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        if target is not None:
            while finished(folder) < target:
                if os.waitpid(child, os.WNOHANG) != (0, 0):
                    sys.exit(f"it ended by itself, before {target} trials")
                time.sleep(0.002)
            time.sleep(draw.random() * 0.02)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        killed = target is not None and status == signal.SIGKILL
        if status and not killed:  # 0 also for a target: the kill may have come too late
            sys.exit(f"target {target}: wait status {status}")


if __name__ == "__main__":
    end = sys.argv.index("--")
    main(
        sys.argv[1],
        Path(sys.argv[2]),
        int(sys.argv[3]),
        [int(target) for target in sys.argv[4:end]],
        sys.argv[end + 1 :],
    )
