"""What all tools share: exit codes and errors of one line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from autodl.errors import AutoDLError
from autodl.system.packages import told_if_missing
from autodl.system.resources import config_lines
from autodl.system.streams import prepare_streams

MARK = "__autodl_plugin__"  # a name that modules of plugins have


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others.

    Parsing is where every tool begins, so this is where the streams are made ready.
    """

    def parse_known_args(self, *args: Any, **options: Any) -> Any:
        """As ``argparse`` does, with streams that take any text."""
        prepare_streams()
        return super().parse_known_args(*args, **options)

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with code 2."""
        self.exit(2, f"error: {message}; see `{self.prog} --help`\n")


def run_tool(work: Callable[[], int | None]) -> int:
    """Do a tool's work and turn its outcome into an exit code.

    Returns:
        0 or what ``work`` returns; 2 for an ``AutoDLError`` and for whatever a plugin raises, whose
        one line goes to stderr; 130 for Ctrl-C; 1 if the reader of a pipe went away.
    """
    try:
        with told_if_missing():
            code = work() or 0
        sys.stdout.flush()
        return code
    except AutoDLError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # else the interpreter would complain when it flushes on its way out
        with suppress(OSError):  # a stream without a handle
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if (place := _place_in_plugin(error)) is None:
            raise  # a fault of ours
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"error: the plugin {place}: {message}", file=sys.stderr)
        return 2


def _place_in_plugin(error: BaseException) -> str | None:
    """``mine.py, line 7, in ask``: the innermost place in a plugin that an error went through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if MARK in trace.tb_frame.f_globals:
            found = f"{Path(code.co_filename).name}, line {trace.tb_lineno}, in {code.co_name}"
        trace = trace.tb_next
    return found


def tell(line: str) -> None:
    """Print a line of progress with the time, in the form of Paddle's own tools."""
    print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] autodl INFO: {line}", flush=True)


class ListConfigs(argparse.Action):
    """``--configs``: print the shipped configs of a tool with their first lines, and stop."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, *, folders: Sequence[str] = ()
    ) -> None:
        super().__init__(
            option_strings, dest, nargs=0, help="list the shipped configs with their first lines"
        )
        self._folders = folders

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        print("\n".join(config_lines(*self._folders)))
        parser.exit()


def add_config_arguments(
    parser: argparse.ArgumentParser, *folders: str, required: bool = True
) -> None:
    """``-c CONFIG`` and repeated ``-o Section.key=value`` as Paddle users know them.

    Args:
        folders: of ``configs/`` that have the shipped configs of this tool, for ``--configs``.
    """
    parser.add_argument(
        "-c",
        "--config",
        required=required,
        metavar="CONFIG",
        help="a YAML file, or the name of a shipped one",
    )
    add_override_argument(parser, "override one key; repeatable")
    parser.add_argument("--configs", action=ListConfigs, folders=folders)
    parser.add_argument(
        "--print-config", action="store_true", help="print every key with its value, and stop"
    )


def add_override_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """``-o Section.key=value``, repeated or with several values; ``text`` is its help."""
    parser.add_argument(
        "-o",
        "--override",
        action="extend",
        nargs="+",
        default=[],
        metavar="Section.key=value",
        help=text,
    )


def add_resume_arguments(parser: argparse.ArgumentParser, text: str) -> None:
    """``--resume``, whose help is ``text``, and ``--accept-changed-plugins``."""
    parser.add_argument("--resume", action="store_true", help=text)
    parser.add_argument(
        "--accept-changed-plugins",
        action="store_true",
        help="with --resume: go on although Global.plugins are not what they were; it is recorded",
    )


def check_resume_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with code 2 if a change of plugins is accepted for a run that is not gone on with."""
    if args.accept_changed_plugins and not args.resume:
        parser.error("--accept-changed-plugins is for a run that is gone on with: give --resume")


def add_plugin_argument(parser: argparse.ArgumentParser) -> None:
    """``--plugin FILE``, repeated."""
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="FILE",
        help="a plugin, if it is not where it was; repeatable",
    )


def add_models_argument(parser: argparse.ArgumentParser) -> None:
    """``--models FOLDER``: where released networks are."""
    parser.add_argument(
        "--models",
        type=Path,
        metavar="FOLDER",
        help="of released networks; default: those that ship with the project",
    )


def print_config(plain: Mapping[str, Any]) -> int:
    """Print a resolved configuration as YAML and return the exit code 0."""
    from autodl.system.yaml_text import dump

    print(dump(dict(plain)), end="")
    return 0
