"""The map in CONTRIBUTING.md is the tree: every folder in it, in the order of imports."""

from __future__ import annotations

import re

from test_layering import FACES, ROOMS

from autodl.system.resources import PACKAGE

TEXT = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def entries():
    """Paths of the map, from the top of the package, in their order."""
    block = TEXT.split("## Map of the code")[1].split("`assemble.py`")[0]
    above: list[str] = []
    for line in block.splitlines():
        found = re.match(r"    ( *)([a-z_]+(?:/|\.py)) ", line)
        if found:
            depth = len(found[1]) // 2
            above = [*above[:depth], found[2]]
            yield "".join(above)


def test_the_map_names_every_folder_and_every_file_at_the_top():
    folders = {
        path.parent.relative_to(PACKAGE).as_posix() + "/"
        for path in PACKAGE.rglob("*.py")
        if path.parent != PACKAGE
    }
    files = {path.name for path in PACKAGE.glob("*.py") if path.stem not in FACES}
    assert sorted(entries()) == sorted(folders | files)


def test_its_order_is_that_of_the_imports():
    rooms = [entry.rstrip("/").removesuffix(".py") for entry in entries() if entry.count("/") <= 1]
    rooms = [room for room in rooms if "/" not in room]
    assert rooms == [room for room in ROOMS if room in rooms]
