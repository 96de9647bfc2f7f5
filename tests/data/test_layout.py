"""Which folders are parts and which are classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodl.data.layout import Layout, find_layout
from autodl.errors import DataError


def tree(root, *folders):
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    "train, test",
    [
        ("train", "test"),
        ("Training", "TESTING"),
        ("TRAIN", "val"),
        ("train", "valid"),
        ("training", "Validation"),
    ],
)
def test_names_of_parts(tmp_path, train, test):
    tree(tmp_path, f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog")
    assert find_layout(tmp_path) == Layout(tmp_path / train, tmp_path / test)


def test_test_goes_before_validation_and_what_else_there_is_is_named(tmp_path):
    tree(tmp_path, "train/cat", "test/cat", "validation/cat", "extra")
    validation = tmp_path / "validation"
    unread = (tmp_path / "extra", validation)
    expected = Layout(tmp_path / "train", tmp_path / "test", unread, held_out=validation)
    assert find_layout(tmp_path) == expected


@pytest.mark.parametrize(
    "folders",
    [
        ("cat", "dog"),
        ("bus", "test", "train"),
        ("bus", "train/old", "test"),
        ("cat", "tests", "trains"),
        (".git/hooks", "__MACOSX/train", "cat", "dog"),
        (),
    ],
)
def test_classes_alone(tmp_path, folders):
    assert find_layout(tree(tmp_path, *folders)) == Layout(tmp_path, None)


@pytest.mark.parametrize(
    "folders, wanted",
    [
        (("test", "train"), "has no classes: 'test' and 'train' are parts of a data set"),
        (("Train", "VALID", "test"), "has no classes: 'Train' and 'VALID' and 'test' are parts"),
        (("train",), "has no classes: 'train' are parts"),
        (
            ("train/cat", "train/dog"),
            "has a training part but no test part: .* or give .*train instead",
        ),
        (("train/cat", "test"), "the part .*/test has no class folders: make one for each class"),
        (("val/cat", "test/cat"), "has 'test' and 'val' but no training part"),
        (
            ("train/cat", "Train/cat", "test/cat"),
            "has 2 training parts, 'Train' and 'train'",
        ),
        (("train/cat", "val/cat", "valid/cat"), "has 2 validation parts, 'val' and 'valid'"),
    ],
)
def test_each_wrong_layout_has_its_own_message(tmp_path, folders, wanted):
    with pytest.raises(DataError, match=wanted):
        find_layout(tree(tmp_path, *folders))


def test_the_working_folder_is_a_path_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tree(tmp_path, "train/cat", "test/cat"))
    assert find_layout(Path()) == Layout(Path("train"), Path("test"))
