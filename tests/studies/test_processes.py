"""Work in processes of their own."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool

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
