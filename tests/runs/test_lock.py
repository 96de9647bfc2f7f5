"""One process writes to a folder at a time; who is just dying is waited for."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from autodl.errors import StoreError
from autodl.runs import lock
from autodl.runs.lock import LOCK, is_dying, locked


def test_a_second_one_is_refused_with_the_first_ones_id_and_the_next_let_in(tmp_path):
    folder = tmp_path / "run"
    with locked(folder):
        assert (folder / LOCK).exists()
        told = rf"another process is writing to .* \(its id: {os.getpid()}\)"
        with pytest.raises(StoreError, match=told), locked(folder):
            pass
    with locked(folder):
        pass


def test_a_child_that_outlives_a_killed_process_does_not_keep_its_lock(tmp_path):
    """As the server that importing PARL starts; a child that keeps the handle has it for ever."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        with locked(tmp_path):
            child = os.fork()
            if child:
                os.write(writing, f"{child}\n".encode())
            time.sleep(60)
            os._exit(0)
    child = int(os.read(reading, 20))
    try:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        os.kill(child, 0)  # it is there
        with locked(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_child_that_lets_go_leaves_the_lock_to_its_parent(tmp_path):
    with locked(tmp_path):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(StoreError, match="another process is writing to"), locked(tmp_path):
            pass


@contextmanager
def held_for(folder, seconds):
    """A thread of this process holds the lock, and lets go of it after a while."""
    holding = threading.Event()

    def hold():
        with locked(folder):
            holding.set()
            time.sleep(seconds)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(10)
    yield
    holder.join()


def test_a_lock_that_is_let_go_in_a_moment_is_waited_for(tmp_path):
    """As of what a killed process was just starting, which has its handles until it runs."""
    with held_for(tmp_path, 0.2), locked(tmp_path):
        pass


@pytest.fixture
def ended():
    """A process that has ended and whose parent has not asked how: it was killed, and is there."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    yield child
    os.waitpid(child, 0)


def test_a_dying_process_is_waited_for_as_long_as_it_is_there(tmp_path, ended):
    with held_for(tmp_path, 0.5):
        (tmp_path / LOCK).write_text(f"{ended}\n")
        with locked(tmp_path, 0.05):
            pass
    with (
        held_for(tmp_path, 0.5),
        pytest.raises(StoreError, match="another"),
        locked(tmp_path, 0.05),
    ):
        pass


def test_who_is_dying(ended):
    assert is_dying(ended)
    assert not is_dying(os.getpid())
    assert not is_dying(None)


def test_a_lock_of_a_version_that_kept_no_id(tmp_path):
    with locked(tmp_path):
        (tmp_path / LOCK).write_text("")
        with pytest.raises(StoreError, match="its id: unknown"), locked(tmp_path):
            pass


def test_who_has_patience_waits_until_the_first_one_has_done(tmp_path):
    order = []

    def second():
        with locked(tmp_path, math.inf):
            order.append("second")

    with locked(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(1.5 * lock._PATIENCE)  # longer than others wait
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
