"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from autodl.errors import StoreError
from autodl.system.files import (
    check_writable,
    folder_aside,
    remove_leftovers,
    replacing,
    replacing_content,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_and_its_folder_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "größe\n")
    assert path.read_text(encoding="utf-8") == "größe\n"
    assert names(path.parent) == ["c.txt"]


def test_json_is_readable_by_people(tmp_path):
    write_json(tmp_path / "x.json", {"b": [1, None], "a": "ü"})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"b": [1, None], "a": "ü"}
    assert '  "a": "ü"' in text
    assert text.endswith("}\n")


def test_the_old_content_stays_until_the_new_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with replacing(path) as aside:
        assert (aside.parent, aside.suffix) == (path.parent, ".txt")
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_a_block_that_raises_changes_nothing(tmp_path, error):
    path = tmp_path / "x.txt"
    write_text(path, "old")

    def half_done():
        with replacing(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        half_done()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_it_is_left_to_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "x.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.txt").stat().st_mode) == mode


@pytest.mark.parametrize("name", ["folder", "file/below", "/proc/none/x.txt"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        write_text(tmp_path / name, "text")
    assert str(caught.value).startswith(f"cannot write {tmp_path / name}: ")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file", "folder"]


def test_a_full_disk_leaves_the_old_content(tmp_path):
    path = tmp_path / "x.txt"
    write_text(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot write .*x\.txt: File too large"):
            write_text(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_json_holds_every_name_that_a_file_may_have(tmp_path):
    value = {"command": ["search", os.fsdecode(b"caf\xe9"), "donn\u00e9es \U0001f600"]}
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert "donn\u00e9es" in text
    assert json.loads(text) == value


def test_text_holds_every_name_that_a_file_may_have(tmp_path):
    write_text(tmp_path / "x.html", "donn\u00e9es " + os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "x.html").read_text(encoding="utf-8") == "donn\u00e9es caf\\udce9"


def test_content_is_replaced_all_together_or_not_at_all(tmp_path):
    for name in ("kept.txt", "old.txt", "sub/old.txt"):
        write_text(tmp_path / name, "old")
    before = names(tmp_path)
    with suppress(KeyError), replacing_content(tmp_path) as aside:
        write_text(aside / "old.txt", "half")
        raise KeyError
    assert names(tmp_path) == before
    assert (tmp_path / "old.txt").read_text() == "old"
    (tmp_path / ".new.0123abcd").mkdir()  # a kill has left it
    with replacing_content(tmp_path) as aside:
        write_text(aside / "old.txt", "new")
        write_text(aside / "sub" / "new.txt", "new")
    assert names(tmp_path) == before
    assert [(tmp_path / name).read_text() for name in ("kept.txt", "old.txt")] == ["old", "new"]
    assert names(tmp_path / "sub") == ["new.txt"]
    with pytest.raises(StoreError, match="cannot write"), replacing_content(tmp_path / "old.txt"):
        pass


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_folder_that_is_not_replaced_after_all_is_put_back(tmp_path, monkeypatch, end):
    """The second of two renames fails: that of the new folder to where the old one was."""
    write_text(tmp_path / "sub" / "x", "old")

    def failing(path, goal):
        if goal == tmp_path / "sub" and ".replaced" not in path.parts:
            raise end
        os.rename(path, goal)

    def replace():
        with replacing_content(tmp_path) as aside:
            write_text(aside / "sub" / "x", "new")
            monkeypatch.setattr(Path, "rename", failing)

    raised = StoreError if isinstance(end, OSError) else end
    with pytest.raises(raised):
        replace()
    assert names(tmp_path) == ["sub"]
    assert (tmp_path / "sub" / "x").read_text() == "old"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_a_kill_has_left_out_of_its_place_is_put_back(tmp_path, replaced):
    write_text(tmp_path / ".new.0123abcd" / ".replaced" / "sub" / "x", "old")
    if replaced:
        write_text(tmp_path / "sub" / "x", "new")
    else:
        write_text(tmp_path / ".new.0123abcd" / "sub" / "x", "new")
    with suppress(KeyError), replacing_content(tmp_path):
        raise KeyError
    assert names(tmp_path) == ["sub"]
    assert (tmp_path / "sub" / "x").read_text() == ("new" if replaced else "old")


def test_what_a_kill_left_is_told_from_everything_else(tmp_path):
    left = [".x.json.0a1b2c3d.json", ".x.0a1b2c3d", ".t.sqlite.0a1b2c3d.sqlite-wal"]
    kept = [".lock", ".x.json.0a1b2c3d.txt", ".x.json.0a1b.json", "x.0a1b2c3d", ".hidden.json"]
    (tmp_path / "below").mkdir()
    for name in [*left, *kept, *(f"below/{name}" for name in left)]:
        (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([*kept, "below"])
    assert names(tmp_path / "below") == []


def test_a_folder_that_a_kill_left_aside_goes_with_the_next_and_one_in_use_stays(tmp_path):
    goal, left, other = tmp_path / "one", tmp_path / ".one.0a1b2c3d", tmp_path / ".two.0a1b2c3d"
    for folder in (left, other):
        folder.mkdir()
        (folder / "x").write_text("half")
    with folder_aside(tmp_path / "another"):
        assert left.exists()

    def two_at_a_time():
        with folder_aside(goal) as used:
            (used / "x").write_text("late")
            with folder_aside(goal) as aside:
                assert not left.exists()
                assert used.is_dir()
                (aside / "x").write_text("whole")

    with pytest.raises(StoreError, match="cannot write"):
        two_at_a_time()
    assert (goal / "x").read_text() == "whole"
    assert names(tmp_path) == [".two.0a1b2c3d", "another", "one"]


@pytest.mark.parametrize("place", ["there/a/b", "there"])
def test_a_place_that_may_not_be_written_is_refused_at_the_start(tmp_path, place, monkeypatch):
    (tmp_path / "there").mkdir()
    check_writable(tmp_path / place, "it is needed")
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / "there")
    with pytest.raises(StoreError, match="it may not be written, and it is needed; choose another"):
        check_writable(tmp_path / place, "it is needed")


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file is a file, and it is needed"):
        check_writable(tmp_path / "file" / "out", "it is needed")
