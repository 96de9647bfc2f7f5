"""Values that cannot be wrong: pictures, data sets, resizing, selecting classes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from autodl.data.dataset import Dataset, Pictures, resize, resize_dataset, select_classes
from autodl.errors import DataError, UnknownNameError


def pictures(count=4, size=6, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Pictures(images, np.arange(count, dtype=np.int64) % 2)


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.zeros((2, 4, 4, 3), np.float32), np.zeros(2, np.int64), "uint8, got float32"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(2, np.int32), "int64, got int32"),
        ([[1]], np.zeros(1, np.int64), "uint8, got list"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int64), r"\[N, H, W, 3\], got"),
        (np.zeros((2, 4, 3), np.uint8), np.zeros(2, np.int64), r"got \[2, 4, 3\]"),
        (np.zeros((2, 0, 4, 3), np.uint8), np.zeros(2, np.int64), r"got \[2, 0, 4, 3\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 1), np.int64), r"\[N\], got \[2, 1\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3, np.int64), "2 pictures but 3 labels"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.array([0, -1]), "from 0, got -1"),
    ],
)
def test_wrong_pictures_are_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        Pictures(images, labels)


def test_pictures_are_read_only_but_the_callers_array_is_not():
    images, labels = np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1, np.int64)
    value = Pictures(images, labels)
    with pytest.raises(ValueError, match="read-only"):
        value.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        value.labels[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.labels = labels
    images[0] = 1


def test_take_keeps_the_order_asked_for():
    value = pictures()
    taken = value.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.images, value.images[[2, 0]])
    np.testing.assert_array_equal(taken.labels, [0, 0])
    assert len(taken) == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"classes": ("one",)}, "at least 2 classes"),
        ({"classes": ("one", "one")}, "'one' twice"),
        ({"train": pictures(0)}, "training part of data set 'x' holds no picture"),
        ({"test": pictures(0)}, "test part of data set 'x' holds no picture"),
        ({"test": pictures(2, size=5)}, "of 6x6 but test pictures of 5x5"),
        (
            {"test": Pictures(np.zeros((1, 6, 6, 3), np.uint8), np.array([2]))},
            "label 2, allowed are 0 to 1",
        ),
    ],
)
def test_wrong_data_sets_are_refused(change, message):
    whole = {"name": "x", "train": pictures(), "test": pictures(2), "classes": ("a", "b")}
    with pytest.raises(DataError, match=message):
        Dataset(**{**whole, "official": None, **change})


def test_checksum_sees_every_pixel_label_and_part():
    base = Dataset("x", pictures(), pictures(2, seed=1), ("a", "b"), None)
    again = Dataset("renamed", pictures(), pictures(2, seed=1), ("c", "d"), True)
    assert base.checksum == again.checksum
    assert len(base.checksum) == 64

    images = base.train.images.copy()
    images[3, 5, 5, 2] ^= 1
    one_pixel = dataclasses.replace(base, train=Pictures(images, base.train.labels))
    labels = base.test.labels.copy()
    labels[0] ^= 1
    one_label = dataclasses.replace(base, test=Pictures(base.test.images, labels))
    flat = Pictures(base.train.images.reshape(4, 9, 4, 3), base.train.labels)
    reshaped = dataclasses.replace(
        base, train=flat, test=Pictures(base.test.images.reshape(2, 9, 4, 3), base.test.labels)
    )
    swapped = dataclasses.replace(base, train=base.test, test=base.train)
    sums = {d.checksum for d in (base, one_pixel, one_label, reshaped, swapped)}
    assert len(sums) == 5


@pytest.mark.parametrize("size, factor", [(6, 1), (3, 2), (2, 3), (1, 6)])
def test_shrinking_by_a_whole_factor_is_the_rounded_block_mean(size, factor):
    source = pictures()
    small = resize(source, size)
    for n in range(4):
        for y in range(size):
            for x in range(size):
                block = source.images[
                    n, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor
                ]
                expected = np.floor(block.astype(float).mean(axis=(0, 1)) + 0.5)
                np.testing.assert_array_equal(small.images[n, y, x], expected)
    np.testing.assert_array_equal(small.labels, source.labels)


@pytest.mark.parametrize(
    "size, method", [(4, Image.Resampling.BOX), (9, Image.Resampling.BILINEAR)]
)
def test_other_sizes_are_pillows(size, method):
    source = pictures()
    for given, got in zip(source.images, resize(source, size).images, strict=True):
        np.testing.assert_array_equal(got, Image.fromarray(given).resize((size, size), method))


def test_resizing_what_cannot_be_resized():
    oblong = Pictures(np.zeros((1, 4, 6, 3), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(DataError, match="4x6 are not square"):
        resize(oblong, 2)
    with pytest.raises(DataError, match="resized to 0"):
        resize(pictures(), 0)


def test_resize_dataset_resizes_both_parts():
    small = resize_dataset(Dataset("x", pictures(), pictures(2), ("a", "b"), True), 3)
    assert small.train.images.shape == (4, 3, 3, 3)
    assert small.test.images.shape == (2, 3, 3, 3)
    assert small.official is True


def test_selected_classes_are_renumbered_in_the_order_asked_for(make_dataset):
    whole = make_dataset()
    chosen = select_classes(whole, ["dog", "ant"])
    assert chosen.classes == ("dog", "ant")
    for part in ("train", "test"):
        before, after = getattr(whole, part), getattr(chosen, part)
        kept = np.isin(before.labels, [0, 3])
        np.testing.assert_array_equal(after.images, before.images[kept])
        np.testing.assert_array_equal(after.labels, np.where(before.labels[kept] == 3, 0, 1))


def test_a_number_selects_the_first_classes(make_dataset):
    assert select_classes(make_dataset(), 2).classes == ("ant", "bee")
    assert set(select_classes(make_dataset(), 2).train.labels) == {0, 1}


@pytest.mark.parametrize(
    "wanted, error, message",
    [
        (1, DataError, "cannot take 1 classes of 'animals', allowed are 2 to 4"),
        (5, DataError, "cannot take 5 classes"),
        (["cat"], DataError, "at least 2 classes"),
        (["cat", "cat"], DataError, "'cat' twice"),
        (["cat", "dgo"], UnknownNameError, "Did you mean 'dog'"),
    ],
)
def test_impossible_selections(make_dataset, wanted, error, message):
    with pytest.raises(error, match=message):
        select_classes(make_dataset(), wanted)
