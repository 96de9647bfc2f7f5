"""examples/make_pictures.py: every picture once, one way up; the same seed, the same pictures."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from PIL import Image

from autodl.data.dataset import Pictures

MADE = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "make_pictures.py"))
CLASSES = ("cat", "dog")
RNG = np.random.default_rng(0)
PART = Pictures(RNG.integers(0, 256, (24, 4, 4, 3), np.uint8), np.arange(24) % 2)
COUNTS = {"cat": 5, "upside-down cat": 6, "dog": 3}


def drawn(out, seed=0):
    MADE["write"](PART, CLASSES, COUNTS, np.random.default_rng(seed), out)
    return {name: [int(file.stem) for file in sorted((out / name).iterdir())] for name in COUNTS}


def test_every_picture_is_there_once_and_one_way_up(tmp_path):
    files = drawn(tmp_path / "a")
    assert {name: len(each) for name, each in files.items()} == COUNTS
    assert not set(files["cat"]) & set(files["upside-down cat"])
    for name, each in files.items():
        for index in each:
            assert CLASSES[PART.labels[index]] == name.removeprefix("upside-down ")
            picture = np.asarray(Image.open(tmp_path / "a" / name / f"{index:05d}.png"))
            upright = picture[::-1] if name.startswith("upside-down") else picture
            np.testing.assert_array_equal(upright, PART.images[index])
    assert drawn(tmp_path / "b") == files
    assert drawn(tmp_path / "c", seed=1) != files


def test_the_sets_have_the_counts_that_are_told():
    sets = MADE["sets"](tuple("abcdefghij"))
    assert {name: sum(train.values()) for name, (train, _) in sets.items()} == {
        "balanced": 2000,
        "few": 400,
        "uneven": 1100,
    }
    assert len(sets["few"][0]) == 20
