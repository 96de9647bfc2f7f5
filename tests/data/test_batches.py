"""Normalisation against float64 NumPy, and what one pass over the pictures gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodl.data.augment import augmenter
from autodl.data.batches import Normalisation, batch_count, iterate
from autodl.data.dataset import Pictures
from autodl.errors import DataError

PLAIN = Normalisation((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))  # keeps pixel values


def pictures(count=23, size=5, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(count) % 256
    return Pictures(images, np.arange(count, dtype=np.int64))


@pytest.mark.parametrize("count", [1, 511, 512, 513, 1100])
def test_statistics_match_float64(count):
    value = pictures(count)
    scaled = value.images.astype(np.float64) / 255
    found = Normalisation.of(value)
    # sums are exact; NumPy's own float64 sums are good to about 1e-13
    np.testing.assert_allclose(found.mean, scaled.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.std, scaled.std(axis=(0, 1, 2)), rtol=1e-12)


def test_sums_do_not_overflow():
    white = Pictures(np.full((600, 64, 64, 3), 255, np.uint8), np.zeros(600, np.int64))
    assert Normalisation.of(white).mean == (1.0, 1.0, 1.0)


def test_a_constant_channel_becomes_zero_not_nan():
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)
    images[..., 1] = 200
    found = Normalisation.of(Pictures(images, np.zeros(7, np.int64)))
    assert found.std[1] == 1 / 255
    normalised = found.normalise(images)
    assert np.isfinite(normalised).all()
    # one float32 rounding of 200 (1.5e-5) over one grey level
    np.testing.assert_allclose(normalised[:, 1], 0, atol=2e-5)


def test_normalise_turns_bytes_into_planes_of_mean_0_and_deviation_1():
    value = pictures(300)
    found = Normalisation.of(value)
    got = found.normalise(value.images)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    exact = (value.images / 255.0 - np.array(found.mean)) / np.array(found.std)
    # float32 rounding of values up to 2
    np.testing.assert_allclose(got, exact.transpose(0, 3, 1, 2), atol=1e-6)
    np.testing.assert_allclose(got.mean(axis=(0, 2, 3), dtype=np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(got.std(axis=(0, 2, 3), dtype=np.float64), 1, atol=1e-6)


def test_each_picture_is_standardised_by_itself():
    """To mean 0 and deviation 1 over all its numbers, whatever the others of its batch are."""
    value = pictures(6)
    found = replace(Normalisation.of(value), per_picture=True)
    images = value.images.copy()
    images[2] = 77
    images[3] = 100
    images[3, 0, 0, 0] = 101  # a deviation of less than 1 / sqrt(n)
    value = replace(value, images=images)
    got = found.normalise(value.images)
    exact = []
    for picture in value.images / 255.0:
        scale = max(picture.std(), picture.size**-0.5)
        exact.append(((picture - picture.mean()) / scale).transpose(2, 0, 1))
    # float32 rounding of values up to 2
    np.testing.assert_allclose(got, np.stack(exact), atol=1e-6)
    assert (got.dtype, got.flags.c_contiguous) == (np.float32, True)
    assert not got[2].any()
    np.testing.assert_array_equal(found.normalise(value.images[3:4])[0], got[3])
    assert "1 / sqrt(n)" in found.formula
    assert Normalisation.from_plain({**found.to_plain(), "more": 1}) == found
    plain = replace(found, per_picture=False)
    assert plain.to_plain().keys() == {"mean", "std"}  # as runs of earlier versions have it
    assert Normalisation.from_plain(plain.to_plain()) == plain


def test_the_mean_colour_becomes_nearly_0():
    found = Normalisation.of(pictures(300))
    pixel = np.array(found.mean_colour, np.uint8).reshape(1, 1, 1, 3)
    half_a_level = 0.5 / 255 / min(found.std)
    assert np.abs(found.normalise(pixel)).max() <= half_a_level + 1e-6  # float32


@pytest.mark.parametrize(
    "mean, std, message",
    [
        ((0.5, 0.5), (1.0, 1.0, 1.0), "mean must be three finite numbers"),
        ((0.5, 0.5, 0.5), (1.0, float("nan"), 1.0), "std must be three finite numbers"),
        ((0.5, 0.5, 0.5), (1.0, 0.0, 1.0), "std must be positive"),
    ],
)
def test_wrong_normalisations(mean, std, message):
    with pytest.raises(DataError, match=message):
        Normalisation(mean, std)


def test_statistics_of_nothing():
    with pytest.raises(DataError, match="at least one picture"):
        Normalisation.of(pictures(0))


@given(
    st.integers(0, 40), st.integers(1, 12), st.booleans(), st.one_of(st.none(), st.integers(0, 5))
)
def test_one_pass_gives_every_picture_once(count, batch_size, drop_last, seed):
    value = pictures(count)
    rng = None if seed is None else np.random.default_rng(seed)
    batches = list(iterate(value, batch_size, normalisation=PLAIN, rng=rng, drop_last=drop_last))
    assert len(batches) == batch_count(count, batch_size, drop_last)
    seen = np.concatenate([labels for _, labels in batches] or [np.empty(0, np.int64)])
    if drop_last and count >= batch_size:
        assert all(len(labels) == batch_size for _, labels in batches)
        assert len(seen) == count - count % batch_size
    else:
        assert len(seen) == count
    assert len(np.unique(seen)) == len(seen)
    if seed is None:
        np.testing.assert_array_equal(seen, np.arange(len(seen)))
    for images, labels in batches:
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        assert images.shape == (len(labels), 3, 5, 5)
        # pixels of at most 255 through one float32 product
        expected = value.images[labels].transpose(0, 3, 1, 2)
        np.testing.assert_allclose(images, expected, atol=1e-4)


def test_a_single_picture_is_never_left_over_with_drop_last():
    sizes = [
        len(labels) for _, labels in iterate(pictures(9), 4, normalisation=PLAIN, drop_last=True)
    ]
    assert sizes == [4, 4]
    only = iterate(pictures(3), 4, normalisation=PLAIN, drop_last=True)
    assert [len(labels) for _, labels in only] == [3]


def test_the_generator_alone_decides_the_order():
    def order(seed):
        rng = np.random.default_rng(seed)
        batches = iterate(pictures(), 4, normalisation=PLAIN, rng=rng)
        return np.concatenate([labels for _, labels in batches]).tolist()

    assert order((1, 2)) == order((1, 2))
    assert order((1, 2)) != order((1, 3))


def test_augmentation_gets_the_bytes_their_positions_and_the_generator():
    value = pictures()
    seen = []

    def augment(images, positions, rng):
        np.testing.assert_array_equal(images, value.images[positions])
        seen.extend(positions)
        return np.full_like(images, rng.integers(1, 2))

    rng = np.random.default_rng(0)
    for images, _ in iterate(value, 4, normalisation=PLAIN, rng=rng, augment=augment):
        np.testing.assert_allclose(images, 1, rtol=1e-6)  # float32
    assert sorted(seen) == list(range(23))


def test_pictures_survive_augmented_iteration():
    value = pictures()
    before = value.images.copy()
    chain = augmenter(padding=1, cutout_size=2, fill=(0, 0, 0))
    rng = np.random.default_rng(0)
    for images, labels in iterate(value, 5, normalisation=PLAIN, rng=rng, augment=chain):
        images += 1
        labels += 1
    np.testing.assert_array_equal(value.images, before)


def test_wrong_arguments_are_refused_at_the_call():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        iterate(pictures(), 0, normalisation=PLAIN)
    with pytest.raises(ValueError, match="pass rng"):
        iterate(pictures(), 4, normalisation=PLAIN, augment=augmenter(fill=0))
