"""Folders of pictures as people have them."""

from __future__ import annotations

import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from autodl.data.dataset import select_classes
from autodl.data.folder import BESIDE, UNREAD, list_pictures, load_folder, read_pictures
from autodl.data.picture import DEAD_LINK, IN_FOLDER, NO_FILE, NO_PICTURE, OTHER_FORMAT, SUFFIXES
from autodl.errors import DataError

LOSSY = {".jpg", ".jfif", ".jpe", ".jpeg", ".avif", ".jp2", ".pbm", ".pgm"}
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def save(path, mode="RGB", size=(10, 10), colour=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def fill_classes(root, names=("cat", "dog"), each=5, size=(10, 10)):
    for number, name in enumerate(names):
        for picture in range(each):
            save(root / name / f"{picture}.png", size=size, colour=(number, picture, 0))
    return root


def test_a_share_of_every_class_becomes_the_test_part(tmp_path):
    fill_classes(tmp_path / "pets", each=20)
    dataset = load_folder(tmp_path / "pets", 8, test_share=0.25)
    assert dataset.name == "pets"
    assert dataset.classes == ("cat", "dog")
    assert dataset.official is None
    assert np.bincount(dataset.test.labels).tolist() == [5, 5]
    assert np.bincount(dataset.train.labels).tolist() == [15, 15]
    assert dataset.train.images.shape == (30, 8, 8, 3)
    seen = []
    for part in (dataset.train, dataset.test):
        np.testing.assert_array_equal(part.images[:, 0, 0, 0], part.labels)
        seen += zip(part.labels.tolist(), part.images[:, 4, 4, 1].tolist(), strict=True)
    assert sorted(seen) == [(label, number) for label in range(2) for number in range(20)]


def test_the_cut_is_seeded(tmp_path):
    fill_classes(tmp_path, each=20)
    sums = [load_folder(tmp_path, 8, seed=seed).checksum for seed in (0, 0, 1)]
    assert sums[0] == sums[1] != sums[2]


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_given_parts_are_used(tmp_path, test_name):
    fill_classes(tmp_path / "train", each=4)
    fill_classes(tmp_path / test_name, each=1)
    dataset = load_folder(tmp_path, None)
    assert (len(dataset.train), len(dataset.test)) == (8, 2)


def test_test_goes_before_val_and_says_so(tmp_path, caplog):
    for part, each in (("train", 4), ("val", 2), ("test", 3)):
        fill_classes(tmp_path / part, each=each)
    with caplog.at_level(logging.WARNING, "autodl.data"):
        assert len(load_folder(tmp_path, None).test) == 6
    assert f"'val': 4 {UNREAD}" in caplog.text


def test_a_class_may_be_called_train(tmp_path):
    fill_classes(tmp_path, names=("bus", "test", "train"))
    assert load_folder(tmp_path, 8).classes == ("bus", "test", "train")


@pytest.mark.parametrize(
    "mode, colour, expected",
    [
        ("RGB", RED, RED),
        ("L", 90, (90, 90, 90)),
        ("1", 1, WHITE),
        ("LA", (0, 0), WHITE),
        ("LA", (40, 255), (40, 40, 40)),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),
        ("I;16", 200 * 256 + 7, (200, 200, 200)),
    ],
)
def test_every_mode_becomes_rgb_over_white(tmp_path, mode, colour, expected):
    file = save(tmp_path / "x.png", mode, colour=colour)
    images = read_pictures([file], None)
    assert {tuple(pixel) for pixel in images.reshape(-1, 3).tolist()} == {expected}


def test_palette_pictures_and_their_transparent_colour(tmp_path):
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([*BLUE, *GREEN])
    picture.paste(1, (0, 0, 2, 4))
    picture.save(tmp_path / "opaque.png")
    picture.save(tmp_path / "holes.png", transparency=1)
    opaque, holes = read_pictures([tmp_path / "opaque.png", tmp_path / "holes.png"], None)
    assert tuple(opaque[0, 0]) == GREEN
    assert tuple(holes[0, 0]) == WHITE
    assert tuple(opaque[0, 3]) == tuple(holes[0, 3]) == BLUE


@pytest.mark.parametrize(
    "suffix", [*(suffix[1:] for suffix in sorted(SUFFIXES - LOSSY)), "jpg", "PNG"]
)
def test_every_kind_of_file(tmp_path, suffix):
    file = save(tmp_path / f"x.{suffix}", colour=(200, 100, 50))
    # JPEG and WebP lose a little; a palette of one colour does not
    np.testing.assert_allclose(read_pictures([file], None)[0, 5, 5], (200, 100, 50), atol=6)


def test_of_an_animation_the_first_picture_counts(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert tuple(read_pictures([tmp_path / "x.gif"], None)[0, 0, 0]) == RED


def test_the_camera_orientation_is_applied(tmp_path):
    picture = Image.new("RGB", (64, 64), BLUE)
    picture.paste(RED, (0, 0, 64, 32))  # stored: red on top
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    picture.save(tmp_path / "x.jpg", exif=exif, quality=95)
    image = read_pictures([tmp_path / "x.jpg"], 16)[0]
    # JPEG rounding is a few levels away from the edge
    np.testing.assert_allclose(image[8, 13], RED, atol=6)
    np.testing.assert_allclose(image[8, 2], BLUE, atol=6)


@pytest.mark.parametrize("size, middle", [((30, 10), (10, 0)), ((10, 30), (0, 10))])
def test_the_square_is_cut_from_the_centre(tmp_path, size, middle):
    picture = Image.new("RGB", size, RED)
    picture.paste(GREEN, (*middle, middle[0] + 10, middle[1] + 10))
    picture.save(tmp_path / "x.png")
    for side in (10, 5, 20):
        image = read_pictures([tmp_path / "x.png"], side)[0]
        # the resampling filter mixes a little of what lies outside into the outermost pixels
        edge = 0 if side == 10 else 2
        inner = image[edge : side - edge, edge : side - edge].reshape(-1, 3)
        assert {tuple(pixel) for pixel in inner.tolist()} == {GREEN}
        assert image[..., 1].min() > 128


def test_large_jpegs_keep_their_content(tmp_path):
    ramp = np.linspace(0, 255, 1024).astype(np.uint8)
    grey = np.broadcast_to(ramp, (1024, 1024))
    Image.fromarray(np.stack([grey, grey.T, grey], axis=2)).save(tmp_path / "x.jpg", quality=95)
    image = read_pictures([tmp_path / "x.jpg"], 16)[0].astype(float)
    expected = ramp.reshape(16, 64).mean(axis=1)
    # the ends mix with their neighbours in the resampling filter; JPEG adds a few levels
    np.testing.assert_allclose(image[8, 1:-1, 0], expected[1:-1], atol=4)
    np.testing.assert_allclose(image[1:-1, 8, 1], expected[1:-1], atol=4)


def test_other_files_are_skipped_and_counted(tmp_path, caplog):
    fill_classes(tmp_path)
    for name in ("README.txt", "cat/.DS_Store", "cat/Thumbs.db", "dog/._1.png", "dog/notes.md"):
        (tmp_path / name).write_text("x")
    (tmp_path / "dog" / "more").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    listing = list_pictures(tmp_path)
    assert len(listing.files) == 10
    assert listing.classes == ("cat", "dog")
    assert listing.left_out == {"cat": {NO_PICTURE: 2}, "dog": {NO_PICTURE: 3}}
    with caplog.at_level(logging.INFO, "autodl.data"):
        load_folder(tmp_path, None)
    assert "skipped 5 files" in caplog.text


def refuse(path, message, image_size=8):
    with pytest.raises(DataError, match=message) as info:
        load_folder(path, image_size)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_an_unreadable_file_is_named(tmp_path, content):
    fill_classes(tmp_path)
    (tmp_path / "dog" / "7.png").write_bytes(content)
    refuse(tmp_path, r"cannot read the picture .*dog/7\.png \(.*\): remove or replace it")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp", "ppm"])
def test_a_truncated_file_is_named(tmp_path, suffix):
    fill_classes(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = tmp_path / "cat" / f"cut.{suffix}"
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    refuse(tmp_path, rf"cannot read the picture .*cut\.{suffix}")


def test_a_decompression_bomb_is_named(tmp_path, monkeypatch):
    fill_classes(tmp_path)
    save(tmp_path / "cat" / "bomb.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    refuse(tmp_path, r"bomb\.png .*exceeds limit")


def test_what_may_be_a_picture_and_is_not_read_is_told_by_class_and_reason(tmp_path, caplog):
    fill_classes(tmp_path)
    for number in range(3):
        (tmp_path / "cat" / f"gone-{number}.png").symlink_to(tmp_path / "nowhere.png")
        save(tmp_path / "cat" / "more" / "still" / f"{number}.png")
    (tmp_path / "dog" / "link.png").symlink_to(tmp_path / "cat" / "0.png")
    (tmp_path / "dog" / "phone.HEIC").write_bytes(b"x")
    (tmp_path / "dog" / "old.png").mkdir()
    os.mkfifo(tmp_path / "dog" / "pipe.png")
    save(tmp_path / "loose.png")
    dataset = load_folder(tmp_path, None)
    assert len(dataset.train) + len(dataset.test) == 11
    assert dataset.left_out == {
        "cat": {DEAD_LINK: 3, IN_FOLDER: 3},
        "dog": {OTHER_FORMAT: 1, NO_PICTURE: 1, NO_FILE: 1},
        ".": {BESIDE: 1},
    }
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "9 files" in caplog.text
    assert f"'cat': 3 {DEAD_LINK}, 3 {IN_FOLDER}; 'dog': " in caplog.text


def test_a_program_is_never_started_for_a_picture(tmp_path):
    """Pillow would hand this to Ghostscript, whatever the file is called."""
    fill_classes(tmp_path)
    file = save(tmp_path / "x.eps")
    file.rename(tmp_path / "cat" / "7.png")
    refuse(tmp_path, r"cannot read the picture .*cat/7\.png")


def test_names_of_other_bytes_are_refused_before_anything_is_read(tmp_path):
    fill_classes(tmp_path)
    fill_classes(tmp_path, names=(os.fsdecode(b"caf\xe9"),))
    (tmp_path / "cat" / "1.png").write_bytes(b"damaged")
    refuse(tmp_path, r"class folder 'caf\\udce9' in .* is no UTF-8 text: rename it")
    data = fill_classes(tmp_path / os.fsdecode(b"\xff"), each=4)
    refuse(data, r"the name of the folder '\\udcff' is no UTF-8 text")


def test_names_are_compared_in_one_normal_form(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    fill_classes(tmp_path / "train", names=("cafz", composed))
    fill_classes(tmp_path / "test", names=(decomposed, "cafz"))
    dataset = load_folder(tmp_path, 8)
    assert dataset.classes == ("cafz", composed)
    assert select_classes(dataset, (decomposed, "cafz")).classes == (composed, "cafz")
    fill_classes(tmp_path / "test", names=(composed,))
    refuse(tmp_path, f"two class folders in .*test are called '{composed}'")


def test_folders_that_are_no_data_set(tmp_path):
    refuse(tmp_path / "nowhere", "nowhere is not a folder")
    refuse(save(tmp_path / "x.png"), "x.png is not a folder")
    refuse(
        tmp_path,
        "at least 2 sub-folders of pictures, one per class; it has none, but 1 pictures without",
    )
    fill_classes(tmp_path, names=("cat",))
    refuse(tmp_path, "at least 2 sub-folders .* only 'cat'$")
    above = tmp_path / "above"
    fill_classes(above / "pets")
    refuse(above, "only 'pets'. The classes seem to lie deeper: give .*above/pets instead")
    shutil.rmtree(above)
    (tmp_path / "empty").mkdir()
    refuse(tmp_path, "the class folder .*empty holds no picture")
    save(tmp_path / "empty" / "deeper" / "1.png")
    refuse(tmp_path, "empty holds no picture .*, but 1 in sub-folders: add some or remove")
    save(tmp_path / "empty" / "1.png")
    save(tmp_path / "empty" / "2.png")
    refuse(tmp_path, "the class 'empty' has 2 pictures, at least 3 are needed")
    save(tmp_path / "empty" / "3.png")
    assert len(load_folder(tmp_path, 8).test) == 2


def test_parts_that_do_not_match(tmp_path):
    fill_classes(tmp_path / "train")
    fill_classes(tmp_path / "test", names=("cat", "dgo"))
    refuse(tmp_path, "the class 'dgo' is in only one of")


def test_sizes_must_match_without_an_image_size(tmp_path):
    fill_classes(tmp_path)
    save(tmp_path / "dog" / "9.png", size=(12, 10))
    refuse(tmp_path, r"9\.png has 12x10 pixels where 10x10 are expected", image_size=None)
    assert load_folder(tmp_path, 8).train.images.shape[1:] == (8, 8, 3)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_wrong_shares(tmp_path, share):
    with pytest.raises(DataError, match="between 0 and 1"):
        load_folder(tmp_path, 8, test_share=share)
