#!/usr/bin/env python3
"""Make folders of pictures of CIFAR-10, as somebody might have them: few, uneven, or some thousand.

``balanced``: 200 of each of the ten classes; ``few``: 20 of each of 20 classes, which are the ten
and the ten upside down; ``uneven``: 100 cars and 1,000 trucks. Training pictures come from the
archive's training part, those in ``test/`` (200 of each of the ten; of ``uneven`` 100 and 1,000)
from its test part; no picture is there twice, also not once in each way up.

Example: python examples/make_pictures.py --path cifar-10-batches-py --seed 0 --out pictures
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from autodl.data.cifar import load_cifar
from autodl.data.dataset import Dataset, Pictures

Counts = dict[str, int]
TEST_OF_A_CLASS = 200
UPSIDE_DOWN = "upside-down "  # begins the name of a class whose pictures are turned over


def sets(classes: tuple[str, ...]) -> dict[str, tuple[Counts, Counts]]:
    """Name of a set -> how many training and test pictures it has of each class."""
    tested = dict.fromkeys(classes, TEST_OF_A_CLASS)
    both = (*classes, *(UPSIDE_DOWN + name for name in classes))
    uneven = {"automobile": 100, "truck": 1000}
    return {
        "balanced": (dict.fromkeys(classes, 200), tested),
        "few": (dict.fromkeys(both, 20), dict.fromkeys(both, TEST_OF_A_CLASS // 2)),
        "uneven": (uneven, uneven),
    }


def write(
    part: Pictures, classes: tuple[str, ...], counts: Counts, rng: np.random.Generator, out: Path
) -> None:
    """Draw so many pictures of each class and write them as PNG files, a folder for each class."""
    left = dict[str, list[int]]()
    for name, count in counts.items():
        (out / name).mkdir(parents=True)
        upright = name.removeprefix(UPSIDE_DOWN)
        if upright not in left:
            members = np.flatnonzero(part.labels == classes.index(upright))
            left[upright] = rng.permutation(members).tolist()
        known = left[upright]
        drawn, known[:count] = known[:count], []
        turned = name.startswith(UPSIDE_DOWN)
        for index in sorted(drawn):
            picture = part.images[index][::-1] if turned else part.images[index]
            Image.fromarray(picture).save(out / name / f"{index:05d}.png")


def make(archive: Dataset, seed: int, out: Path) -> None:
    """Write all sets; the same seed gives the same pictures."""
    for number, (name, (train, test)) in enumerate(sets(archive.classes).items()):
        rng = np.random.default_rng((seed, number))
        write(archive.train, archive.classes, train, rng, out / name / "train")
        write(archive.test, archive.classes, test, rng, out / name / "test")


def main() -> None:
    """Read the archive and write the folders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--path", type=Path, required=True, help="CIFAR-10's python archive")
    parser.add_argument("--seed", type=int, default=0, help="of the pictures that are drawn")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    given = parser.parse_args()
    make(load_cifar(given.path, 10), given.seed, given.out)


if __name__ == "__main__":
    main()
