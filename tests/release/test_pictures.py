"""Whatever people call a picture becomes the same array, or an error that says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from autodl.errors import DataError
from autodl.release.pictures import as_pictures

RNG = np.random.default_rng(0)
ONE = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)


def test_arrays_of_the_right_size_are_taken_as_they_are():
    many = RNG.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    assert as_pictures(many, 8) is many
    assert (as_pictures(ONE, 8) == ONE[None]).all()
    assert (as_pictures(list(many), 8) == many).all()
    assert (as_pictures((one for one in many), 8) == many).all()
    assert (as_pictures([many[:2], ONE, many[2:]], 8)[2] == ONE).all()


def test_files_images_and_arrays_agree(tmp_path):
    Image.fromarray(ONE).save(tmp_path / "one.png")
    for given in (
        tmp_path / "one.png",
        str(tmp_path / "one.png"),
        Image.open(tmp_path / "one.png"),
    ):
        assert (as_pictures(given, 8) == ONE[None]).all()
    large = RNG.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    found = as_pictures(tmp_path / "large.png", 8)
    assert found.shape == (1, 8, 8, 3)
    assert (as_pictures(large, 8) == found).all()
    left, right = np.zeros((12, 4, 3), np.uint8), np.full((12, 4, 3), 200, np.uint8)
    middle = np.full((12, 12, 3), 90, np.uint8)
    wide = np.concatenate([left, middle, right], axis=1)
    inner = as_pictures(wide, 6)[0, :, 1:-1]  # the square at the centre, without its border
    assert (inner == 90).all()


def test_grey_and_transparent_pictures_are_converted():
    grey = RNG.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    expected = np.repeat(grey[..., None], 3, axis=3)
    assert (as_pictures(grey[:2], 8) == expected[:2]).all()
    assert (as_pictures(grey[..., None], 8) == expected).all()
    assert (as_pictures(grey[0], 8) == expected[:1]).all()
    assert (as_pictures(Image.fromarray(grey[0]), 8) == expected[:1]).all()
    clear = np.dstack([ONE, np.zeros((8, 8), np.uint8)])
    assert (as_pictures(clear, 8) == 255).all()
    for shade in (grey[0], grey[:1]):  # with opacity
        pair = np.stack([shade, np.full_like(shade, 255)], axis=-1)
        assert (as_pictures(pair, 8) == expected[:1]).all()
    solid = np.dstack([ONE, np.full((8, 8), 255, np.uint8)])
    assert (as_pictures(solid, 8) == ONE[None]).all()


@pytest.mark.parametrize("scale", [1, 256])
def test_pictures_of_wide_integers(scale):
    """Pillow's mode I holds 8 bits or 16; nothing in the file says which."""
    wide = Image.fromarray(ONE[:, :, 0].astype(np.int32) * scale)
    assert wide.mode == "I"
    assert (as_pictures(wide, 8) == np.repeat(ONE[None, :, :, :1], 3, axis=3)).all()


@pytest.mark.parametrize(
    "given, wanted",
    [
        (np.zeros((2, 8, 8, 3), np.float32), "uint8 numbers from 0 to 255, got float32; scale"),
        (np.zeros((2, 3, 8, 8), np.uint8), r"got \[2, 3, 8, 8\]; move the channels behind"),
        (np.zeros((0, 8, 8, 3), np.uint8), "no picture in an array"),
        (np.zeros((3, 8, 8), np.uint8), r"channels in front, or three grey ones"),
        (Image.fromarray(np.zeros((8, 8), np.float32)), "mode F has numbers without a range"),
        (np.zeros(8, np.uint8), r"shape \[N, H, W, 3\], got \[8\]"),
        ([], "the sequence is empty"),
        (7, "got int"),
        (b"\x89PNG", "got bytes"),
        (Image.new("La", (8, 8)), r"cannot read a PIL image of 8x8 pixels and mode La"),
        ("nowhere.png", r"cannot read the picture nowhere\.png"),
    ],
)
def test_what_is_no_picture(given, wanted):
    with pytest.raises(DataError, match=wanted) as caught:
        as_pictures(given, 8)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"cannot read the picture .*notes\.png"):
        as_pictures([ONE, tmp_path / "notes.png"], 8)


def test_an_image_that_turns_out_to_be_truncated(tmp_path):
    """Pillow opens it without complaint and decodes it later."""
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "one.jpg")
    content = (tmp_path / "one.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    for given in (tmp_path / "half.jpg", Image.open(tmp_path / "half.jpg")):
        with pytest.raises(DataError, match=r"cannot read .*image file is truncated"):
            as_pictures(given, 8)


def test_images_lie_as_their_camera_says(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: to be turned clockwise by a quarter
    Image.fromarray(ONE).save(tmp_path / "one.png", exif=turned)
    upright = np.rot90(ONE, -1)[None]
    assert (as_pictures(tmp_path / "one.png", 8) == upright).all()
    assert (as_pictures(Image.open(tmp_path / "one.png"), 8) == upright).all()
