"""The console command ``autodl NAME ...``: runs the main of ``tools/NAME.py``."""

from __future__ import annotations

import os

# One thread per process is the fastest here: trials run in parallel instead. NumPy and Paddle
# read this when they are imported, so it stands before everything else.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ast
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from autodl import __version__
from autodl.errors import AutoDLError, lookup
from autodl.system.resources import config_lines, resource
from autodl.system.streams import prepare_streams
from autodl.system.verbs import moved, present

USAGE = "usage: autodl [-h] [--version] [--configs] TOOL [ARGUMENT ...]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool that the first argument names, with the other arguments; return its exit code.

    Without arguments, or with ``--help``, the tools are listed, with ``--configs`` the configs that
    ship. An unknown name, or one of the version before, gives 2.
    """
    prepare_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        tools = find_tools()
        if not arguments or arguments[0] in ("-h", "--help"):
            print(overview(tools))
            return 0
        if arguments[0] == "--version":
            print(f"autodl {__version__}")
            return 0
        if arguments[0] == "--configs":
            print("\n".join(config_lines()))
            return 0
        arguments = present(arguments)
        if (line := moved(arguments)) is not None:
            old = arguments[0].replace("_", "-")
            print(f"error: `autodl {old}` is another verb now; type: {line}", file=sys.stderr)
            return 2
        path = lookup(tools, arguments[0].replace("-", "_"), "tool")
    except AutoDLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return run(path, arguments[0], arguments[1:])


def find_tools() -> dict[str, Path]:
    """Every tool's file by the tool's name, in alphabetical order."""
    files = sorted(resource("tools").glob("*.py"))
    return {path.stem: path for path in files if not path.stem.startswith("_")}


def overview(tools: dict[str, Path]) -> str:
    """The usage line and what each tool does."""
    width = max(map(len, tools), default=0)
    lines = [f"  {name:{width}}  {first_line(path)}".rstrip() for name, path in tools.items()]
    last = "`autodl TOOL --help` lists a tool's options, `autodl --configs` the shipped configs."
    return "\n".join([USAGE, "", "AutoDL for PaddlePaddle.", "", "tools:", *lines, "", last])


def first_line(path: Path) -> str:
    """The first line of a file's docstring, read without running the file; maybe empty."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]


def run(path: Path, name: str, arguments: Sequence[str]) -> int:
    """Call ``main(arguments)`` of the file ``path``, which calls itself ``autodl name`` in help."""
    sys.path.append(str(path.parent))  # as Python does for a script: tools share _start.py
    module_name = f"autodl_tool_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:  # cannot happen for a .py file
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their own module up
    sys.argv[0] = f"autodl {name}"
    spec.loader.exec_module(module)
    return cast("Callable[[Sequence[str]], int]", module.main)(arguments)


if __name__ == "__main__":
    sys.exit(main())
