"""Which files of a folder are pictures: the same for training and for prediction."""

from __future__ import annotations

import logging
import os

import pytest
from PIL import Image

from autodl.data.picture import DEAD_LINK, IN_FOLDER, picture_files, pictures_in
from autodl.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Two pictures, and what people have beside them."""
    folder = tmp_path / "pictures"
    (folder / "old.png").mkdir(parents=True)
    for name in ("b.png", "a.TIF", "old.png/1.png"):
        Image.new("RGB", (4, 4)).save(folder / name)
    (folder / "._000.png").write_bytes(b"of macOS")
    (folder / "notes.txt").write_text("x")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    return folder


def test_a_folder_gives_its_pictures_and_says_what_it_leaves_out(folder, caplog):
    with caplog.at_level(logging.INFO, "autodl.data"):
        files = picture_files([folder])
    assert [file.name for file in files] == ["a.TIF", "b.png"]
    assert files == list(pictures_in(folder).pictures)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"left out 1 {DEAD_LINK}, 1 {IN_FOLDER}" in caplog.text


def test_a_file_is_taken_as_it_is_and_nothing_said(folder, caplog):
    assert picture_files([folder / "notes.txt"]) == [folder / "notes.txt"]
    assert not caplog.records


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("gone.png", "there is no .*gone.png"),
        ("x" * 5000, "cannot read .*: File name too long"),
        ("a\nb", r"there is no '.*a\\nb'"),
        (os.fsdecode(b"\xff"), r"there is no '.*\\udcff'"),
    ],
)
def test_what_is_not_there_is_said_on_one_line(folder, name, wanted):
    with pytest.raises(DataError, match=wanted) as caught:
        picture_files([folder / name])
    assert "\n" not in str(caught.value)


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(DataError, match="holds no picture"):
        picture_files([tmp_path])
