"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat

import pytest

from autodl.errors import StoreError
from autodl.system.files import replacing, write_json, write_text


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
