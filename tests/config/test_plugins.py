"""User modules."""

from __future__ import annotations

import sys

import pytest

from autodl.config.plugins import import_plugins
from autodl.errors import PluginError


@pytest.fixture(autouse=True)
def _forget(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def test_files_and_modules_are_imported_in_order_and_once(tmp_path):
    log = tmp_path / "log"
    line = f"open({str(log)!r}, 'a').write({{!r}})\n"
    names = [write(tmp_path / "one.py", line.format("1")), "two_of_the_plugins"]
    write(tmp_path / "two_of_the_plugins.py", line.format("2"))
    import_plugins(names)
    import_plugins([*names, "one.py"])  # the same file by another path
    assert log.read_text() == "12"


def test_two_files_of_one_name_are_two_plugins(tmp_path):
    log = tmp_path / "log"
    for folder in ("first", "second"):
        write(tmp_path / folder / "ops.py", f"open({str(log)!r}, 'a').write({folder!r} + ' ')")
    import_plugins(["first/ops.py", "second/ops.py"])
    assert log.read_text() == "first second "


def test_a_plugin_that_failed_is_tried_again(tmp_path):
    path = write(tmp_path / "late.py", "raise ValueError('too early')")
    with pytest.raises(PluginError):
        import_plugins([path])
    write(tmp_path / "late.py", "")
    import_plugins([path])


@pytest.mark.parametrize(
    "name, text, reason",
    [
        ("gone.py", None, "FileNotFoundError: no such file"),
        ("no_such_module_anywhere", None, "ModuleNotFoundError: No module named"),
        ("os.no_such_part", None, "ModuleNotFoundError"),
        ("", None, "ValueError"),
        ("wrong.py", "raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("syntax.py", "def x(:\n", "SyntaxError: invalid syntax"),
        ("leaves.py", "import sys; sys.exit('bye')", "SystemExit: bye"),
        ("needs.py", "import no_such_package", "No module named 'no_such_package'"),
        (
            "taken.py",
            "from autodl.config.components import register;"
            " register('Strategy', 'RandomSearch', '', '')",
            "ValueError: Strategy 'RandomSearch' exists already; choose another name",
        ),
        (
            "section.py",
            "from autodl.jobs.search.parts import register; register('Strategie', 'Mine', '', '')",
            "unknown section 'Strategie'. Did you mean 'Strategy'?",
        ),
    ],
)
def test_a_plugin_that_does_not_import_is_named_with_the_reason(tmp_path, name, text, reason):
    if text is not None:
        write(tmp_path / name, text)
    with pytest.raises(PluginError) as caught:
        import_plugins([name])
    message = str(caught.value)
    assert message.startswith(f"Global.plugins: cannot import {name!r}: ")
    assert reason in message
    assert "\n" not in message
