"""Where processes that are started from here import from."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autodl.system import children
from autodl.system.children import command, import_path, python_path
from autodl.system.resources import PACKAGE

PARENT = str(PACKAGE.parent)


def test_a_child_has_the_import_path_of_its_parent(monkeypatch, tmp_path):
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "dataclasses.py").write_text("raise ImportError('a back-port')\n")
    (tmp_path / "installed" / "of_the_parent.py").write_text(
        "import dataclasses, random, sys\n"
        "def main(number):\n"
        "    print(number, dataclasses.__name__, random.randint(3, 3), sys.path)\n"
    )
    (tmp_path / "random.py").write_text("raise ImportError('of the working folder')\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path / "installed")])
    done = subprocess.run(
        command("of_the_parent:main", 7), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == f"7 dataclasses 3 {import_path()}", done.stderr


def test_a_package_that_is_found_by_other_means_is_named_last(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/somewhere"])
    assert import_path() == ["/somewhere", PARENT]


@pytest.mark.parametrize("before", ["", "/mine", os.pathsep.join(["/a", "/b"])])
def test_a_checkout_is_named_behind_what_the_user_names(before):
    assert python_path(before) == os.pathsep.join(p for p in (before, PARENT) if p)
    assert python_path(python_path(before)) == python_path(before)


def test_what_is_installed_is_not_named(monkeypatch):
    monkeypatch.setattr(children.site, "getsitepackages", lambda: [PARENT])
    assert python_path("/mine") == "/mine"
    assert python_path("") == ""
