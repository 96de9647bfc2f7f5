from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import autodl
from autodl import __main__ as command
from autodl.system import resources

SHOUT = '''"""Say things loudly.

The second paragraph is not listed.
"""
import argparse
import dataclasses


@dataclasses.dataclass
class Options:
    word: "str"


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("word")
    print(Options(parser.parse_args(argv).word.upper()).word)
    return 3
'''


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tools are known, found in place of the real ones."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "shout_out.py").write_text(SHOUT, encoding="utf-8")
    (folder / "bare.py").write_text("raise SystemExit('imported!')\n", encoding="utf-8")
    (folder / "_private.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "autodl")
    monkeypatch.setattr(sys, "argv", ["autodl"])
    return folder


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_overview_lists_tools_without_importing_them(tools, capsys, arguments) -> None:
    assert command.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  shout_out  Say things loudly." in lines
    assert "  bare" in lines
    assert not [line for line in lines if "private" in line or "second paragraph" in line]


def test_version(tools, capsys) -> None:
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"autodl {autodl.__version__}\n"


@pytest.mark.parametrize("name", ["shout_out", "shout-out"])
def test_tool_gets_its_arguments_and_gives_its_exit_code(tools, capsys, name) -> None:
    assert command.main([name, "hello"]) == 3
    assert capsys.readouterr().out == "HELLO\n"


def test_arguments_come_from_the_command_line(tools, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["autodl", "shout-out", "you"])
    assert command.main() == 3
    assert capsys.readouterr().out == "YOU\n"


def test_help_calls_the_tool_by_its_command(tools, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["shout-out", "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("usage: autodl shout-out [-h] word")


@pytest.mark.parametrize("name", ["shout_ut", "shout-ut"])
def test_unknown_tool_is_a_one_line_error(tools, capsys, name) -> None:
    assert command.main([name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "unknown tool" in captured.err
    assert "Did you mean 'shout_out'?" in captured.err
    assert "bare, shout_out" in captured.err


def test_missing_tools_folder_is_a_one_line_error(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "autodl")
    assert command.main(["search"]) == 2
    assert capsys.readouterr().err.startswith("error: no 'tools' in")


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("given, seen", [({}, "1"), ({"OMP_NUM_THREADS": "4"}, "4")])
def test_one_thread_unless_told_otherwise(given, seen) -> None:
    code = "import autodl.__main__, os; print(os.environ['OMP_NUM_THREADS'])"
    assert run_python("-c", code, **given).stdout == f"{seen}\n"


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, autodl.__main__ as m; m.main(['--help']); print(*sys.modules)"
    loaded = set(run_python("-c", code).stdout.split())
    assert not loaded & {"numpy", "paddle", "parl", "pydantic", "yaml", "rich", "visualdl"}


def test_overview_comes_at_once() -> None:
    """Half a second is promised; the best of three leaves out what else the machine does."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = run_python("-m", "autodl", "--help")
        seconds.append(time.perf_counter() - start)
    assert done.stdout.startswith("usage: autodl")
    assert min(seconds) < 0.5


TOOLS = sorted(path.stem for path in resources.resource("tools").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", TOOLS)
def test_help_of_a_tool_imports_nothing_heavy(name) -> None:
    """And so comes at once."""
    code = (
        "import sys, autodl.__main__ as m\n"
        "try: m.main([sys.argv[1], '--help'])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print('LOADED', *sys.modules)"
    )
    shown, _, loaded = run_python("-c", code, name).stdout.partition("LOADED")
    assert shown.startswith("usage: ")
    heavy = {"numpy", "paddle", "parl", "pydantic", "yaml", "matplotlib", "scipy", "visualdl"}
    assert not {*heavy, "rich", "sqlite3"} & set(loaded.split())


def test_a_verb_of_before_is_answered_with_the_line_to_type(capsys) -> None:
    assert command.main(["table", "RUN", "--out", "cells.csv"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "`autodl table` is another verb now" in captured.err
    assert captured.err.endswith("type: autodl report RUN --csv cells.csv\n")


def test_there_are_thirteen_verbs() -> None:
    assert (
        sorted(
            [
                *("search", "train", "compress", "study", "report", "eval", "infer"),
                *("export_model", "release", "prepare_data", "latency", "bench", "fit"),
            ]
        )
        == TOOLS
    )


def test_configs_are_listed(capsys) -> None:
    assert command.main(["--configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("search/demo.yaml ") for line in lines)
    with pytest.raises(SystemExit) as stop:
        command.main(["compress", "--configs"])
    assert stop.value.code == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed
    assert all(line.startswith("compress/") for line in listed)
