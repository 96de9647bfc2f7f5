"""Tools called in this process: a new one for each call would cost the imports again."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from autodl import __main__ as command


@pytest.fixture
def call(capsys, monkeypatch):
    """Call `autodl TOOL`: its exit code and what it printed, also where argparse ends it."""
    monkeypatch.setattr(sys, "argv", ["autodl"])
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call_main(tool, *arguments):
        capsys.readouterr()
        try:
            code = command.main([tool, *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return call_main


@pytest.fixture
def refused(call):
    """Call a tool with a mistake: exit code 2 and one line that says all that is wanted."""

    def call_and_check(wanted, tool, *arguments):
        done = call(tool, *arguments)
        assert done.code == 2, done.err
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1, done.err
        assert wanted in done.err
        return done

    return call_and_check
