"""Folders of pictures gathered: parts in any spelling, damaged files left out and counted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from autodl.data.gathering import DAMAGED, find_pictures, gather, thinned, typical_side, unread
from autodl.data.load import load_split
from autodl.data.options import DataOptions
from autodl.data.picture import DEAD_LINK, IN_FOLDER, NO_PICTURE, OTHER_FORMAT
from autodl.data.subset import read_subset, write_npz
from autodl.errors import ConfigError, DataError


def fill(root, classes=("cat", "dog"), each=6, side=10):
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for picture in range(each):
            colour = (number, picture, 0)
            Image.new("RGB", (side, side), colour).save(root / name / f"{picture}.png")
    return root


@pytest.mark.parametrize("train", ["train", "Training"])
@pytest.mark.parametrize("valid", ["val", "valid", "validation", "dev"])
@pytest.mark.parametrize("test", ["test", "testing"])
def test_all_spellings_of_three_parts(tmp_path, train, valid, test):
    for part, each in ((train, 4), (valid, 3), (test, 2)):
        fill(tmp_path / part, each=each)
    dataset = gather(find_pictures(tmp_path), 8).dataset
    assert dataset.held_out is not None
    assert (len(dataset.train), len(dataset.held_out), len(dataset.test)) == (8, 6, 4)
    assert not dataset.left_out


def test_two_parts_and_none(tmp_path):
    fill(tmp_path / "two" / "train")
    fill(tmp_path / "two" / "valid", each=2)
    dataset = gather(find_pictures(tmp_path / "two"), 8).dataset
    assert (len(dataset.train), dataset.held_out, len(dataset.test)) == (12, None, 4)
    whole = gather(find_pictures(fill(tmp_path / "one", each=10)), 8).dataset
    assert (len(whole.train), len(whole.test)) == (16, 4)
    assert np.bincount(whole.test.labels).tolist() == [2, 2]


def test_damaged_pictures_are_left_out_and_counted(tmp_path):
    fill(tmp_path, each=10)
    (tmp_path / "cat" / "11.png").write_bytes(b"no picture")
    (tmp_path / "cat" / "12.jpg").write_bytes(b"")
    subset = gather(find_pictures(tmp_path), 8)
    data = subset.dataset
    assert data.left_out == {"cat": {DAMAGED: 2}}
    assert unread(data.left_out) == 2
    assert len(data.train) + len(data.test) == 20
    files = subset.about["files"]
    for name, part in (("train", data.train), ("test", data.test)):
        assert len(files[name]) == len(part)
        for file, image, label in zip(files[name], part.images, part.labels, strict=True):
            assert ("cat", "dog").index(file.split("/")[-2]) == label == image[0, 0, 0]
            assert int(file.split("/")[-1][:-4]) == image[0, 0, 1]


def test_all_that_may_be_a_picture_and_is_not_read_is_counted(tmp_path):
    """Of every part, the held-out one included; a text is no loss."""
    for part, each in (("train", 4), ("valid", 2), ("test", 2)):
        fill(tmp_path / part, each=each)
    (tmp_path / "train" / "cat" / "phone.heic").write_bytes(b"")
    (tmp_path / "train" / "cat" / "notes.txt").write_bytes(b"")
    fill(tmp_path / "valid" / "dog", ("deeper",), each=3)
    (tmp_path / "test" / "dog" / "gone.png").symlink_to(tmp_path / "nowhere")
    subset = gather(find_pictures(tmp_path), 8)
    lost = {
        "cat": {OTHER_FORMAT: 1, NO_PICTURE: 1},
        "dog": {IN_FOLDER: 3, DEAD_LINK: 1},
    }
    assert subset.dataset.left_out == lost
    assert unread(lost) == 5
    write_npz(subset, tmp_path / "kept.npz")
    assert read_subset(tmp_path / "kept.npz").dataset.left_out == lost


def test_a_class_of_damaged_pictures_alone_is_refused(tmp_path):
    fill(tmp_path, each=6)
    for file in (tmp_path / "dog").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="'dog' has 0 readable pictures in its train part"):
        gather(find_pictures(tmp_path), 8)


def test_one_class_one_picture_and_no_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        find_pictures(tmp_path / "none")
    with pytest.raises(DataError, match="at least 2 sub-folders"):
        find_pictures(fill(tmp_path / "one", ("cat",)))
    with pytest.raises(DataError, match="'cat' has 1 pictures, at least 3 are needed"):
        find_pictures(fill(tmp_path / "single", each=1))


def test_validation_pictures_have_the_classes_of_training(tmp_path):
    for part in ("train", "test"):
        fill(tmp_path / part)
    fill(tmp_path / "valid", ("cat", "cow"))
    with pytest.raises(DataError, match="'cow' is in only one of"):
        find_pictures(tmp_path)


def test_the_typical_side_is_the_median_of_the_shorter_ones(tmp_path):
    fill(tmp_path, each=5)
    for number, size in enumerate([(40, 20), (20, 60), (30, 30)]):
        for name in ("cat", "dog"):
            Image.new("RGB", size).save(tmp_path / name / f"x{number}.png")
    (tmp_path / "cat" / "bad.png").write_bytes(b"")
    found = find_pictures(tmp_path)
    sides = [min(Image.open(f).size) for f in found.parts["train"].files if f.name != "bad.png"]
    assert typical_side(found) == int(np.median(sides))


def test_fewer_pictures_keep_the_proportions(tmp_path):
    fill(tmp_path, ("a",), each=50)
    fill(tmp_path, ("b",), each=10)
    found = find_pictures(tmp_path)
    assert thinned(found, 1000) is found
    fewer = thinned(found, 12)
    assert np.bincount(fewer.parts["train"].labels).tolist() == [10, 2]
    assert fewer.parts["test"] is found.parts["test"]


def test_a_given_held_out_part_is_kept_in_the_file_and_not_cut_again(tmp_path):
    for part, each in (("train", 6), ("valid", 3), ("test", 2)):
        fill(tmp_path / "pets" / part, each=each)
    subset = gather(find_pictures(tmp_path / "pets"), 8)
    path = tmp_path / "pets.npz"
    write_npz(subset, path)
    assert read_subset(path).dataset.checksum == subset.dataset.checksum
    data = load_split(DataOptions(name="npz", path=path))
    assert (len(data.train), len(data.held_out)) == (12, 6)
    np.testing.assert_array_equal(data.held_out.images, subset.dataset.held_out.images)
    assert data.split["held_out"] == 6
    with pytest.raises(ConfigError, match="comes with a held-out part of 6 pictures"):
        load_split(DataOptions(name="npz", path=path, held_out=3))
    resized = load_split(DataOptions(name="npz", path=path, image_size=16))
    assert resized.held_out.images.shape == (6, 16, 16, 3)
