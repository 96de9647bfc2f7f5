"""House rules that a machine can check: sizes of files and functions, and telling names."""

from __future__ import annotations

import ast
import re

import pytest

from autodl.system.resources import PACKAGE

ROOT = PACKAGE.parent
OWN = sorted(path for folder in ("autodl", "tools") for path in (ROOT / folder).rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_FILES_OF_A_FOLDER = 400, 60, 20
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "stuff", "tools", "base"}


@pytest.mark.parametrize("file", OWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_long(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("file", OWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_function_is_long(file):
    """Without its docstring: explaining is free."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            told = ast.get_docstring(node) is not None
            explained = (first.end_lineno or 0) - first.lineno + 1 if told else 0
            length = (node.end_lineno or 0) - node.lineno + 1 - explained
            assert length <= MOST_LINES_OF_A_FUNCTION, f"{node.name} has {length} lines"


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
