"""Tools called in this process: a new one for each call would cost the imports again."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from autodl.system.resources import resource


@pytest.fixture
def call(capsys):
    """Call a tool's main: its exit code and what it printed, also where argparse ends it."""

    def call_main(tool, *arguments):
        spec = importlib.util.spec_from_file_location(
            f"tool_{tool}", resource("tools") / f"{tool}.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        capsys.readouterr()
        try:
            code = module.main([str(argument) for argument in arguments])
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
