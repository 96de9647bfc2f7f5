"""Exit codes, errors of one line, and the arguments that tools share."""

from __future__ import annotations

import argparse

import pytest
import yaml

from autodl.errors import ConfigError, UnknownNameError
from autodl.system.console import Parser, add_config_arguments, print_config, run_tool


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("returned, code", [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_what_the_work_returns_is_the_exit_code(returned, code, capsys):
    assert run_tool(lambda: returned) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error, line",
    [
        (ConfigError("two\nlines  and\ttabs"), "error: two lines and tabs\n"),
        (UnknownNameError("no 'x'"), "error: no 'x'\n"),
    ],
)
def test_an_error_of_ours_is_one_line_and_code_2(error, line, capsys):
    assert run_tool(raising(error)) == 2
    assert capsys.readouterr() == ("", line)


def test_ctrl_c(capsys):
    assert run_tool(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_goes_away_is_no_error_to_talk_about(capsys):
    assert run_tool(raising(BrokenPipeError())) == 1
    assert capsys.readouterr() == ("", "")


def test_errors_in_the_program_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda: 1 // 0)


@pytest.mark.parametrize(
    "words, overrides",
    [
        ([], []),
        (["-o", "A.x=1"], ["A.x=1"]),
        (["-o", "A.x=1", "B.y=2", "-o", "C.z=3"], ["A.x=1", "B.y=2", "C.z=3"]),
    ],
)
def test_overrides_add_up(words, overrides):
    for _ in range(2):  # no list is shared between two readings
        parser = argparse.ArgumentParser()
        add_config_arguments(parser)
        args = parser.parse_args(["-c", "a.yaml", *words])
        assert (args.config, args.override, args.print_config) == ("a.yaml", overrides, False)


def test_a_config_is_needed(capsys):
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args([])
    assert stop.value.code == 2
    assert "-c" in capsys.readouterr().err


def test_a_printed_config_keeps_its_order(capsys):
    plain = {"Global": {"seed": 1, "device": "auto"}, "Data": {"path": None, "classes": [1, 2]}}
    assert print_config(plain) == 0
    again = yaml.safe_load(capsys.readouterr().out)
    assert again == plain
    assert list(again) == list(plain)
    assert list(again["Global"]) == ["seed", "device"]


def test_a_usage_error_is_one_line(capsys):
    parser = Parser(prog="autodl thing")
    parser.add_argument("--out", required=True)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "error: the following arguments are required: --out; see `autodl thing --help`\n"
    )
