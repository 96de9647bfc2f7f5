"""One process writes to a folder at a time; who is just dying is waited for."""

from __future__ import annotations

import threading
import time

import pytest

from autodl.errors import StoreError
from autodl.runs.lock import LOCK, locked


def test_a_second_one_is_refused_and_the_next_let_in(tmp_path):
    folder = tmp_path / "run"
    with locked(folder):
        assert (folder / LOCK).exists()
        with pytest.raises(StoreError, match="another process is writing to"), locked(folder):
            pass
    with locked(folder):
        pass


def test_a_lock_that_is_let_go_in_a_moment_is_waited_for(tmp_path):
    """As of what a killed process was just starting, which has its handles until it runs."""
    holding = threading.Event()

    def hold():
        with locked(tmp_path):
            holding.set()
            time.sleep(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(10)
    with locked(tmp_path):
        pass
    holder.join()
