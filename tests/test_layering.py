"""The map of the code holds: each room imports what stands above it, and Paddle keeps below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autodl.system.resources import PACKAGE

# top to bottom, as in CONTRIBUTING.md; the last two are the command and the names kept for people
ROOMS = (
    *("errors", "trial", "system", "config", "data", "plans", "spaces", "objectives", "tasks"),
    *("strategies", "recipes", "runs", "drawing", "search"),
    *("networks", "implicit", "training", "reparam", "agents", "supernets", "compression"),
    *("evaluation", "trained", "release", "reports", "jobs", "studies"),
)
FACES = ("assemble", "experiment", "compress", "export", "__init__", "__main__")
FIRST_WITH_PADDLE = ROOMS.index("networks")
# read before Paddle is needed, so that a mistake in a config costs no framework import
PLAIN = ("options.py", "config.py", "space.py", "catalogue.py")
FRAMEWORKS = ("paddle", "parl", "visualdl", "ray")
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(file: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, and whether at its top: neither in a function nor for types."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, at_top: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, at_top))
        only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        below = at_top and not isinstance(node, ast.FunctionDef | ast.Lambda) and not only_types
        for child in ast.iter_child_nodes(node):
            visit(child, below)

    visit(ast.parse(file.read_text(encoding="utf-8")), True)
    return found


def test_the_top_holds_rooms_and_few_files():
    found = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith(("__pyc", "py."))}
    assert found <= {*ROOMS, *FACES, "configs", "models", "tools"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_above_it(room):
    allowed = {*ROOMS[: ROOMS.index(room) + 1], "__init__"}
    for file in FILES:
        if room_of(file) != room:
            continue
        for module, _ in imports(file):
            parts = module.split(".")
            if parts[0] == "autodl" and len(parts) > 1:
                assert parts[1] in allowed, f"{file.relative_to(PACKAGE)} imports {module}"


def test_nothing_above_the_line_and_no_options_import_a_framework():
    for file in FILES:
        room = room_of(file)
        above = room in ROOMS and ROOMS.index(room) < FIRST_WITH_PADDLE
        if above or file.name in PLAIN:
            at_top = {module.split(".")[0] for module, top in imports(file) if top}
            assert not at_top & {*FRAMEWORKS}, file.relative_to(PACKAGE)


def test_plain_files_import_no_room_that_imports_paddle():
    """Through what they import, too: a package's ``__init__`` may be guarded."""
    guarded = {"networks", "training", "reparam"}
    for file in FILES:
        room = room_of(file)
        above = room in ROOMS and ROOMS.index(room) < FIRST_WITH_PADDLE
        if above or file.name in PLAIN:
            rooms = {m.split(".")[1] for m, top in imports(file) if top and m.startswith("autodl.")}
            assert not rooms & guarded, file.relative_to(PACKAGE)


def test_faces_hand_names_on_and_do_nothing_else():
    for name in FACES[:4]:
        tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
        kinds = (ast.Expr, ast.ImportFrom, ast.Assign)
        assert all(isinstance(node, kinds) for node in tree.body), name
