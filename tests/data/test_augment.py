"""Whole-batch augmentation against loops over pictures and pixels."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.augment import (
    alternating_flip,
    augmenter,
    change_brightness,
    cutout,
    flip,
    flip_vertically,
    mixup,
    pad_crop,
)

FILL = (10, 20, 30)
SHAPES = [(5, 8, 8, 3), (3, 4, 6, 3), (4, 5, 5, 1), (1, 1, 1, 3)]


def batch(shape=(5, 8, 8, 3), dtype=np.uint8, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, shape)
    return images.astype(dtype)


def colour(shape, fill=FILL):
    return fill[: shape[3]]


def looped_pad_crop(images, rng, padding, fill):
    count, height, width, _ = images.shape
    tops, lefts = rng.integers(2 * padding + 1, size=(2, count))
    result = np.empty_like(images)
    for n in range(count):
        for y in range(height):
            for x in range(width):
                from_y, from_x = y + tops[n] - padding, x + lefts[n] - padding
                inside = 0 <= from_y < height and 0 <= from_x < width
                result[n, y, x] = images[n, from_y, from_x] if inside else fill
    return result


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("padding", [1, 2, 3])
def test_borders_that_continue_the_picture(dtype, padding):
    """Pixel -1 is pixel 1, pixel H is pixel H - 2: NumPy's reflect, and windows of it."""
    images = batch((5, 4, 6, 3), dtype)
    got = pad_crop(images, np.random.default_rng(1), padding, "reflected")
    tops, lefts = np.random.default_rng(1).integers(2 * padding + 1, size=(2, 5))
    for n in range(5):
        rows = [abs(y) if y < 4 else 6 - y for y in range(tops[n] - padding, tops[n] - padding + 4)]
        left = lefts[n] - padding
        columns = [abs(x) if x < 6 else 10 - x for x in range(left, left + 6)]
        np.testing.assert_array_equal(got[n], images[n][rows][:, columns])
    with pytest.raises(ValueError, match="cannot reflect 4 pixels of a picture of 4x6"):
        pad_crop(images, np.random.default_rng(0), 4, "reflected")


def looped_cutout(images, rng, size, fill):
    count, height, width, _ = images.shape
    centres_y, centres_x = rng.integers(height, size=count), rng.integers(width, size=count)
    result = images.copy()
    for n in range(count):
        for y in range(height):
            for x in range(width):
                down, right = y - centres_y[n] + size // 2, x - centres_x[n] + size // 2
                if 0 <= down < size and 0 <= right < size:
                    result[n, y, x] = fill
    return result


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("padding", [1, 2, 4, 9])
@pytest.mark.parametrize("shape", SHAPES)
def test_pad_crop_matches_a_loop(shape, padding, dtype):
    images = batch(shape, dtype)
    got = pad_crop(images, np.random.default_rng(1), padding, colour(shape))
    expected = looped_pad_crop(images, np.random.default_rng(1), padding, colour(shape))
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [1, 2, 3, 6, 20])
@pytest.mark.parametrize("shape", SHAPES)
def test_cutout_matches_a_loop(shape, size, dtype):
    images = batch(shape, dtype)
    got = cutout(images, np.random.default_rng(1), size, colour(shape))
    expected = looped_cutout(images, np.random.default_rng(1), size, colour(shape))
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == dtype


@pytest.mark.parametrize("shape", SHAPES)
def test_flip_mirrors_where_the_coin_says(shape):
    images = batch(shape)
    coins = np.random.default_rng(3).random(len(images)) < 0.5
    got = flip(images, np.random.default_rng(3))
    for before, after, coin in zip(images, got, coins, strict=True):
        np.testing.assert_array_equal(after, before[:, ::-1] if coin else before)


def test_every_shift_and_every_cut_out_centre_is_equally_likely():
    """Chi-square over the 25 shifts (or 64 centres) of 20,000 pictures."""
    images = np.zeros((20_000, 8, 8, 1), np.uint8)
    images[:, 4, 4] = 1
    shifted = pad_crop(images, np.random.default_rng(0), 2)
    cut = cutout(images + np.uint8(1), np.random.default_rng(0), 1)
    for marks, places in ((shifted == 1, 25), (cut == 0, 64)):
        counts = np.bincount(marks.reshape(20_000, 64).argmax(axis=1), minlength=64)
        counts = counts[counts > 0]
        assert len(counts) == places
        expected = 20_000 / places
        chi_square = ((counts - expected) ** 2 / expected).sum()
        # mean places - 1, standard deviation sqrt(2 (places - 1)): five of them
        assert chi_square < places - 1 + 5 * (2 * (places - 1)) ** 0.5


def test_half_of_the_pictures_are_flipped():
    images = np.tile(np.array([0, 1], np.uint8).reshape(1, 1, 2, 1), (10_000, 1, 1, 1))
    share = flip(images, np.random.default_rng(0))[:, 0, 0, 0].mean()
    assert abs(share - 0.5) < 5 * 0.5 / 100  # five standard deviations of 10,000 coins


def test_alternating_flip_shows_the_other_side_in_the_next_epoch():
    images, positions = batch((200, 4, 4, 3)), np.arange(1000, 1200)
    first = alternating_flip(images, positions, 0)
    second = alternating_flip(images, positions, 1)
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    np.testing.assert_array_equal(alternating_flip(images, positions, 2), first)
    mirrored = (first != images).any(axis=(1, 2, 3))
    assert 60 < mirrored.sum() < 140  # 100 +- 5.7 standard deviations


def test_alternating_flip_depends_on_the_position_not_on_the_batch():
    images, positions = batch((50, 4, 4, 3)), np.arange(50)
    whole = alternating_flip(images, positions, 3, seed=1)
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(
        alternating_flip(images[order], positions[order], 3, seed=1), whole[order]
    )
    assert (alternating_flip(images, positions, 3, seed=2) != whole).any()


def test_coins_of_neighbouring_positions_and_seeds_are_independent():
    images = np.tile(np.array([0, 1], np.uint8).reshape(1, 1, 2, 1), (20_000, 1, 1, 1))
    positions = np.arange(20_000)
    coins = [alternating_flip(images, positions, 0, seed)[:, 0, 0, 0] for seed in (0, 1)]
    for one, other in ((coins[0][1:], coins[0][:-1]), (coins[0], coins[1])):
        assert abs((one == other).mean() - 0.5) < 5 * 0.5 / 20_000**0.5  # five deviations


@pytest.mark.parametrize(
    "change",
    [
        lambda images, rng: pad_crop(images, rng, 2, FILL),
        flip,
        lambda images, rng: cutout(images, rng, 3, FILL),
        lambda images, rng: alternating_flip(images, np.arange(len(images)), 1),
        lambda images, rng: pad_crop(images, rng, 0),
        lambda images, rng: cutout(images, rng, 0),
    ],
)
def test_the_input_is_left_alone_and_read_only_or_strided_views_work(change):
    images = batch((6, 8, 8, 3))
    kept = images.copy()
    images.flags.writeable = False
    got = change(images, np.random.default_rng(0))
    assert not np.shares_memory(got, images)
    np.testing.assert_array_equal(images, kept)
    strided = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(change(strided, np.random.default_rng(0)), got)
    assert change(images[:0], np.random.default_rng(0)).shape == (0, 8, 8, 3)


def test_fill_is_rounded_and_clipped_to_bytes():
    images = np.full((50, 4, 4, 3), 77, np.uint8)
    got = pad_crop(images, np.random.default_rng(0), 4, (-3.0, 9.6, 300.0))
    assert {tuple(pixel) for pixel in got.reshape(-1, 3).tolist()} == {(77, 77, 77), (0, 10, 255)}


def test_pictures_are_turned_upside_down_by_a_coin():
    images = batch((200, 4, 3, 3))
    got = flip_vertically(images, np.random.default_rng(0))
    turned = (got == images[:, ::-1]).all(axis=(1, 2, 3))
    assert (turned ^ (got == images).all(axis=(1, 2, 3))).all()
    assert 65 < turned.sum() < 135  # five deviations of 200 fair coins are 35
    np.testing.assert_array_equal(images, batch((200, 4, 3, 3)))  # left alone


def test_brightness_multiplies_each_picture_by_one_factor():
    images = np.full((500, 2, 2, 3), 100, np.uint8)
    got = change_brightness(images, np.random.default_rng(0), 0.3)
    assert got.dtype == np.uint8
    assert (got == got[:, :1, :1, :1]).all()
    found = got[:, 0, 0, 0]
    assert (found.min(), found.max()) == (70, 130)  # every byte of U(0.7, 1.3), rounded
    assert abs(found.mean() - 100) < 4  # five standard errors of 500
    assert change_brightness(images + 150, np.random.default_rng(0), 0.3).max() == 255  # clipped
    with pytest.raises(ValueError, match="brightness must be at least 0 and below 1, got 1"):
        change_brightness(images, np.random.default_rng(0), 1)


def test_augmenter_is_the_chain():
    images, positions = batch((9, 8, 8, 3)), np.arange(30, 39)
    rng = np.random.default_rng(4)
    expected = cutout(flip(pad_crop(images, rng, 2, FILL), rng), rng, 3, FILL)
    chain = augmenter(padding=2, flip_rule="random", cutout_size=3, fill=FILL)
    got = chain(images, positions, np.random.default_rng(4))
    np.testing.assert_array_equal(got, expected)

    rng = np.random.default_rng(4)
    expected = cutout(
        change_brightness(flip_vertically(flip(images, rng), rng), rng, 0.3), rng, 3, FILL
    )
    chain = augmenter(padding=0, vertical=True, brightness=0.3, cutout_size=3, fill=FILL)
    np.testing.assert_array_equal(chain(images, positions, np.random.default_rng(4)), expected)

    alternating = augmenter(padding=0, flip_rule="alternating", fill=FILL, epoch=1, seed=2)
    np.testing.assert_array_equal(
        alternating(images, positions, rng), alternating_flip(images, positions, 1, 2)
    )
    for border, fill in (("mean", FILL), ("black", 0.0), ("reflected", "reflected")):
        padded = augmenter(padding=2, border=border, flip_rule="none", fill=FILL)
        expected = pad_crop(images, np.random.default_rng(5), 2, fill)
        np.testing.assert_array_equal(padded(images, positions, np.random.default_rng(5)), expected)
    nothing = augmenter(padding=0, flip_rule="none", fill=FILL)
    np.testing.assert_array_equal(nothing(images, positions, rng), images)


def test_mixup_blends_pictures_and_pairs_labels():
    images = batch((6, 3, 4, 4), np.float32)
    labels = np.arange(6)
    mixed = mixup(images, labels, np.random.default_rng(0), 0.4)
    assert 0 < mixed.weight < 1
    assert mixed.images.dtype == np.float32
    np.testing.assert_array_equal(mixed.labels, labels)
    assert sorted(mixed.partners) == list(range(6))
    exact = images.astype(float)
    expected = mixed.weight * exact + (1 - mixed.weight) * exact[mixed.partners]
    # values up to 255: a few float32 roundings of 255 * 6e-8
    np.testing.assert_allclose(mixed.images, expected, atol=1e-4)


def test_mixup_with_alpha_0_changes_nothing():
    images, labels = batch((3, 3, 2, 2), np.float32), np.array([2, 1, 0])
    mixed = mixup(images, labels, np.random.default_rng(0), 0.0)
    np.testing.assert_array_equal(mixed.images, images)
    np.testing.assert_array_equal(mixed.partners, labels)
    assert mixed.weight == 1.0
    assert not np.shares_memory(mixed.images, images)


def test_mixup_weights_follow_the_beta_distribution():
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))."""
    rng = np.random.default_rng(0)
    images, labels = np.zeros((2, 1), np.float32), np.zeros(2, np.int64)
    weights = np.array([mixup(images, labels, rng, 2.0).weight for _ in range(4000)])
    assert abs(weights.mean() - 0.5) < 5 * (0.05 / 4000) ** 0.5  # five standard errors
    assert abs(weights.var() - 0.05) < 0.005  # its standard error is about 0.001


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda i, r: pad_crop(i, r, -1), "at least 0, got -1"),
        (lambda i, r: cutout(i, r, -2), "at least 0, got -2"),
        (lambda i, r: mixup(i.astype(np.float32), np.zeros(5), r, -0.1), "got -0.1"),
        (lambda i, r: mixup(i.astype(np.float32), np.zeros(5), r, float("nan")), "got nan"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(batch(), np.random.default_rng(0))
