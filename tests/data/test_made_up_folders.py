"""Two hundred made-up folders: each is read as it is, or refused in one line."""

from __future__ import annotations

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from autodl.data.dataset import Dataset
from autodl.data.folder import load_folder
from autodl.errors import DataError

FOLDERS, SIDE = 200, 8
PARTS = ("train", "Training", "test", "TEST", "val", "valid", "validation")
SUFFIXES = (*(".png", ".PNG", ".bmp", ".gif", ".tif", ".ppm", ".webp", ".jpg"), ".heic", ".txt", "")


def random_name(rng):
    """A name of bytes that are no UTF-8, or of one to six characters from all of Unicode."""
    if rng.random() < 0.03:
        return os.fsdecode(bytes(rng.integers(0x80, 0x100, 3).tolist()))
    name = ""
    while len(name) < rng.integers(1, 7):
        number = int(rng.integers(0x110000 if rng.random() < 0.5 else 0x300))
        if not 0xD800 <= number < 0xE000 and chr(number) not in "/\0":
            name += chr(number)
    if rng.random() < 0.3:
        name = unicodedata.normalize(rng.choice(["NFC", "NFD"]), f"{name}\u00e9")
    return "x" if name in (".", "..") else name


def damage(rng, file):
    """Make a file what files are at worst."""
    content = file.read_bytes()
    kind = rng.integers(7)
    file.unlink()
    if kind == 0:
        file.write_bytes(b"")
    elif kind == 1:
        file.write_bytes(content[: len(content) // 2])
    elif kind == 2:
        file.write_bytes(rng.bytes(len(content)))
    elif kind == 3:
        file.symlink_to(rng.choice([str(file), "nowhere", ".."]))
    elif kind == 4:
        os.mkfifo(file)
    elif kind == 5:
        file.mkdir()
    else:
        flipped = bytearray(content)
        flipped[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(flipped))


def fill(rng, folder, worst):
    """Three to six pictures of one colour, some perhaps damaged or of a kind that is not read."""
    for number in range(rng.integers(3, 7)):
        suffix = ".png" if rng.random() > worst else str(rng.choice(SUFFIXES))
        name = f"{number}{random_name(rng)}{suffix}" if rng.random() < 0.5 else f"{number}{suffix}"
        file = folder / name
        mode = str(rng.choice(["RGB", "L", "P", "1"])) if rng.random() < 0.3 else "RGB"
        known = suffix.lower() if suffix not in (".heic", ".txt", "") else ".png"
        size = (SIDE, SIDE) if rng.random() > worst / 2 else (SIDE + 1, SIDE)
        kind = Image.registered_extensions()[known]
        Image.new(mode if known in (".png", ".tif") else "RGB", size).save(file, format=kind)
        if rng.random() < worst / 4:
            damage(rng, file)


def make(rng, root, worst):
    """A tree of classes, perhaps in parts, perhaps with folders too many or too few."""
    names = [random_name(rng) for _ in range(rng.integers(1, 5))]
    parts = [""] if rng.random() < 0.5 else list(rng.choice(PARTS, rng.integers(1, 4)))
    for part in parts:
        for name in names:
            depth = [random_name(rng)] if rng.random() < worst / 4 else []
            folder = root.joinpath(part, name, *depth)
            folder.mkdir(parents=True, exist_ok=True)
            fill(rng, folder, worst)
    if rng.random() < worst:
        fill(rng, root, worst)


@pytest.fixture(scope="module", autouse=True)
def registered():
    Image.init()


def test_each_ends_in_a_right_reading_or_in_one_line(tmp_path):
    """A right reading has each class by its name, and every picture is read or counted."""
    read = refused = 0
    for seed in range(FOLDERS):
        rng = np.random.default_rng(seed)
        root = tmp_path / str(seed)
        root.mkdir()
        make(rng, root, worst=float(rng.choice([0.0, 0.0, 0.2, 0.8])))
        try:
            dataset = load_folder(root, None if rng.random() < 0.5 else SIDE)
        except DataError as error:
            refused += 1
            message = str(error)
            assert message.splitlines() == [message], seed
            assert len(message) < 1000, seed
            continue
        read += 1
        check(root, dataset)
    assert min(read, refused) > FOLDERS // 5  # else the folders were too bad, or too good


def check(root, dataset: Dataset):
    folders = {
        unicodedata.normalize("NFC", name)
        for _, names, _ in os.walk(root)
        for name in names
        if not name.startswith(".")
    }
    assert set(dataset.classes) <= folders
    assert list(dataset.classes) == sorted(dataset.classes)
    assert "".join(dataset.classes).encode("utf-8")
    assert dataset.train.images.shape[1:] == (SIDE, SIDE, 3)
    read = len(dataset.train) + len(dataset.test)
    counted = sum(sum(counts.values()) for counts in dataset.left_out.values())
    suffixed = sum(
        name.lower().endswith(tuple(suffix.lower() for suffix in SUFFIXES[:-3]))
        and not name.startswith(".")
        for folder, _, files in os.walk(root)
        if "/." not in folder.removeprefix(str(root))
        for name in files
    )
    assert read <= suffixed <= read + counted
