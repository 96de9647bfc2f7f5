"""House rules that a machine can check: sizes of files and functions, and telling names."""

from __future__ import annotations

import ast
import re

from autodl.system.resources import PACKAGE

ROOT = PACKAGE.parent
OWN = sorted(path for folder in ("autodl", "tools") for path in (ROOT / folder).rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_FILES_OF_A_FOLDER = 400, 60, 20
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "stuff", "tools", "base"}


def test_no_file_is_long():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in OWN}
    assert not {str(path): count for path, count in lines.items() if count > MOST_LINES}


def test_no_function_is_long():
    """Without its docstring: explaining is free."""
    lengths = {
        f"{path}:{node.name}": _length(node)
        for path in OWN
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert not {name: n for name, n in lengths.items() if n > MOST_LINES_OF_A_FUNCTION}


def _length(function):
    first = function.body[0]
    told = ast.get_docstring(function) is not None
    explained = (first.end_lineno or 0) - first.lineno + 1 if told else 0
    return (function.end_lineno or 0) - function.lineno + 1 - explained


def test_names_of_files_say_something():
    assert not [path for path in OWN if path.stem in EMPTY_NAMES]


def test_no_folder_is_crowded():
    folders = {path.parent for path in OWN if "autodl" in path.parts}
    for folder in folders:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES_OF_A_FOLDER, folder.relative_to(ROOT)


def test_texts_name_verbs_and_no_files_of_tools():
    """Who has installed the package has no folder ``tools``."""
    package = [path for path in OWN if PACKAGE in path.parents]
    assert not [
        path for path in package if re.search(r"tools/[a-z_]+\.py", path.read_text("utf-8"))
    ]
