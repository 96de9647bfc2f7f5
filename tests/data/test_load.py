"""From options to the pictures of a search."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from autodl.data.batches import Normalisation
from autodl.data.load import LOADERS, headline, left_over, load, load_split, read_from
from autodl.data.options import DataOptions
from autodl.data.subset import cut_subset, write_npz
from autodl.errors import DataError, UnknownNameError


@pytest.fixture
def npz(make_dataset, tmp_path):
    """Options of a subset with 150 + 5 pictures of each of 4 classes."""
    source = make_dataset(per_class=200)
    write_npz(cut_subset(source, per_class=150, test_per_class=5), tmp_path / "animals.npz")
    return {"name": "npz", "path": tmp_path / "animals.npz"}


def test_the_embedded_sample_is_the_default():
    data = load_split(DataOptions())
    assert (len(data.train), len(data.held_out)) == (800, 200)
    assert data.name == "cifar10-mini"
    assert len(data.classes) == 10
    assert data.official is False
    assert set(np.bincount(data.held_out.labels)) == {20}
    assert set(np.bincount(data.train.labels)) == {80}
    assert data.checksum == load(DataOptions()).checksum
    assert data.split.keys() == {"seed", "train", "held_out", "sha256"}
    assert data.split["train"] == 800
    assert data.split["held_out"] == 200
    assert data.split["seed"] == 2018


@pytest.mark.parametrize(
    "official, word", [(True, "yes"), (False, "no"), (None, "unknown (nothing was published)")]
)
def test_the_line_for_people(npz, official, word):
    data = replace(load_split(DataOptions(**npz, train=40)), official=official)
    assert headline(data) == f"{data.name}, 40 + 120 pictures, official: {word}"


def test_statistics_come_from_the_training_pictures_only(npz):
    data = load_split(DataOptions(**npz, train=40))
    assert data.normalisation == Normalisation.of(data.train)
    assert data.normalisation != Normalisation.of(load(DataOptions(**npz)).train)


def test_parts_do_not_overlap_and_the_test_part_stays_out(npz, picture_number):
    dataset = load(DataOptions(**npz))
    data = load_split(DataOptions(**npz))
    numbers = [
        set(picture_number(part.images).tolist())
        for part in (data.train, data.held_out, dataset.test)
    ]
    assert len(set.union(*numbers)) == sum(map(len, numbers))
    # 20 % of 600 held out; that is more than the reserve, so all the rest is trained on
    assert [len(part) for part in numbers] == [480, 120, 20]


def test_every_option_reaches_its_place(npz):
    data = load_split(
        DataOptions(**npz, image_size=8, train=60, held_out=30, classes=["dog", "bee"])
    )
    assert data.classes == ("dog", "bee")
    assert (len(data.train), len(data.held_out)) == (60, 30)
    assert data.split["train"] == 60
    assert data.split["held_out"] == 30
    small = load_split(DataOptions(image_size=16))
    assert small.train.images.shape == (800, 16, 16, 3)
    assert small.checksum != load_split(DataOptions()).checksum
    assert small.split["sha256"] == load_split(DataOptions()).split["sha256"]
    other = load_split(DataOptions(split_seed=1))
    assert other.split["sha256"] != small.split["sha256"]


def test_selecting_classes_moves_no_picture_across_the_cut(npz, picture_number):
    whole = load_split(DataOptions(**npz, held_out=40))
    part = load_split(DataOptions(**npz, held_out=20, classes=["dog", "bee"]))
    for chosen, everything in ((part.train, whole.train), (part.held_out, whole.held_out)):
        wanted = everything.take(np.flatnonzero(np.isin(everything.labels, [1, 3])))
        np.testing.assert_array_equal(picture_number(chosen.images), picture_number(wanted.images))
        np.testing.assert_array_equal(chosen.labels, np.where(wanted.labels == 3, 0, 1))


def test_cifar_of_both_kinds(cifar10_contents, cifar100_contents, write_cifar):
    ten = load(DataOptions(name="cifar10", path=write_cifar(cifar10_contents), image_size=16))
    assert ten.train.images.shape == (100, 16, 16, 3)
    hundred_folder = write_cifar(cifar100_contents, "cifar-100-python")
    hundred = load_split(DataOptions(name="cifar100", path=hundred_folder, held_out=100))
    assert (len(hundred.train), len(hundred.held_out)) == (100, 100)


def test_a_folder(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.new("RGB", (20, 12), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    data = load_split(DataOptions(name="folder", path=tmp_path, image_size=8))
    assert (len(data.train), len(data.held_out)) == (13, 3)
    assert data.train.images.shape[1:] == (8, 8, 3)


@pytest.mark.parametrize("name", sorted(set(LOADERS) - {"cifar10-mini"}))
def test_a_missing_path_is_explained(name):
    with pytest.raises(DataError, match=r"Data\.path is missing: .*cifar10-mini") as info:
        load(DataOptions(name=name))
    assert "\n" not in str(info.value)


def test_a_path_that_would_be_ignored_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"reads no Data\.path"):
        load(DataOptions(path=tmp_path))


def test_unknown_names():
    with pytest.raises(UnknownNameError, match=r"data set 'cifar-10'\. Did you mean 'cifar1"):
        load(DataOptions(name="cifar-10"))
    with pytest.raises(UnknownNameError, match="Did you mean 'ship'"):
        load(DataOptions(classes=["shp", "cat"]))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"held_out": 991}, "cannot take 991 held-out pictures: possible are 10 .* to 990"),
        ({"held_out": 200, "train": 801}, "beside 200 held-out ones: .* to 800"),
    ],
)
def test_impossible_numbers(options, message):
    with pytest.raises(DataError, match=message):
        load_split(DataOptions(**options))


def test_nothing_here_imports_paddle():
    program = (
        "import sys, autodl.data.load\n"
        "assert not {'paddle', 'parl', 'visualdl'} & set(sys.modules), 'too much imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_start_says_where_the_pictures_were_and_what_was_not_read(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name / "more").mkdir(parents=True)
        for file in ("0.png", "1.png", "2.png", "more/3.png"):
            Image.new("RGB", (8, 8)).save(tmp_path / name / file)
    options = DataOptions(name="folder", path=tmp_path)
    left_out = {"cat": {"in sub-folders": 1}, "dog": {"in sub-folders": 1}}
    found = read_from(options, load_split(options))
    assert json.loads(json.dumps(found)) == {"data_path": str(tmp_path), "left_out": left_out}
    assert read_from(DataOptions(), load_split(DataOptions())) == {"data_path": None}


def test_what_is_left_over_is_neither_trained_on_nor_held_out(npz):
    """The parts and what is left are the training part, each picture once."""

    def rows(*parts):
        return sorted(image.tobytes() for part in parts for image in part.images)

    options = DataOptions(**npz, train=40, held_out=8)
    data, free = load_split(options), left_over(options)
    assert len(free) == 600 - 48
    assert rows(data.train, data.held_out, free) == rows(load(options).train)
    every = DataOptions(**npz, held_out=8)  # of the reserve, 8 in each class, 6 are left
    assert len(left_over(every)) == 4 * 6
    assert len(left_over(DataOptions(**npz))) == 0
