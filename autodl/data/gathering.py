"""A folder of pictures gathered into one data set of one size, whatever it looks like.

Unlike ``folder.py``, which refuses a folder with a damaged picture, this leaves such pictures out
and counts them; and a validation part beside a test part becomes the held-out one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autodl.data.dataset import Dataset, LeftOut, Pictures
from autodl.data.folder import Listing, added, list_parts, list_pictures
from autodl.data.layout import find_layout
from autodl.data.names import normal, shown
from autodl.data.picture import FORMATS, lost, read_picture
from autodl.data.splits import SPLIT_SEED, class_order, shares
from autodl.data.subset import VERSION, Subset
from autodl.errors import DataError
from autodl.system.yaml_text import is_text

DAMAGED = "that cannot be read"
_LOOKED_AT = 200  # files whose size is asked for
_LEAST = {"train": 2, "held_out": 1, "test": 1}  # pictures of a class; one of training is held out


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The files of a folder by part; ``parts`` has ``train`` and ``test``, perhaps ``held_out``.

    ``left_out`` counts, by class and reason, what is no picture or is not read.
    """

    name: str
    parts: dict[str, Listing]
    left_out: LeftOut = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return self.parts["train"].classes

    def count(self, part: str) -> int:
        """How many files a part has."""
        return len(self.parts[part].files) if part in self.parts else 0


def find_pictures(path: Path, test_share: float = 0.2, seed: int = SPLIT_SEED) -> Found:
    """Which pictures are in a folder, without reading them.

    Args:
        path: with a folder for each class; or with such folders in ``train/`` and ``test/``, of
            which ``find_layout`` knows the spellings, and perhaps ``valid/``.
        test_share: see ``load_folder``.
        seed: of the cut where there is no test part.

    Raises:
        DataError: see ``load_folder``.
    """
    try:
        if not path.is_dir():
            raise DataError(
                f"{shown(path)} is not a folder: give one with a sub-folder of pictures for each"
                " class"
            )
        train, test, left_out = list_parts(path, test_share, seed)
        parts = {"train": train, "test": test}
        if (folder := find_layout(path).held_out) is not None:
            held_out = parts["held_out"] = _same_classes(list_pictures(folder), train, folder)
            name = normal(folder.name)
            others = {key: value for key, value in left_out.items() if key != name}
            left_out = added(others, held_out.left_out)
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {error.strerror or error}") from error
    name = path.resolve().name
    if not is_text(name):
        raise DataError(f"the name of the folder {name!r} is no UTF-8 text: rename it")
    return Found(name, parts, left_out)


def typical_side(found: Found, seed: int = SPLIT_SEED) -> int:
    """Median over some training files of the shorter side in pixels; headers alone are read.

    Raises:
        DataError: none of them is a picture.
    """
    files = found.parts["train"].files
    chosen = np.random.default_rng(seed).permutation(len(files))[:_LOOKED_AT]
    sides = [side for index in chosen if (side := _shorter_side(files[index]))]
    if not sides:
        raise DataError(
            f"{shown(files[0])} and {len(chosen) - 1} other files are no pictures that can be read"
        )
    return int(np.median(sides))


def thinned(found: Found, most: int, seed: int = SPLIT_SEED) -> Found:
    """At most so many training pictures, in proportion to the classes, at least 2 of each.

    Raises:
        DataError: that many are too few for the classes.
    """
    train = found.parts["train"]
    if most >= len(train.files):
        return found
    order = class_order(train.labels, seed)
    sizes = [len(members) for members in order]
    counts = shares(sizes, max(most, 2 * len(sizes)), sizes, "training pictures")
    kept = [members[: max(count, 2)] for members, count in zip(order, counts, strict=True)]
    return _with_train(found, np.sort(np.concatenate(kept)))


def gather(found: Found, side: int) -> Subset:
    """Read the pictures, cut to squares of ``side`` pixels; damaged ones are left out.

    Returns:
        A subset whose indices count the files of ``about["files"]``, and whose data set has the
        left-out pictures in ``left_out``, too.

    Raises:
        DataError: the readable pictures of a class are too few.
    """
    left_out = {name: dict(counts) for name, counts in found.left_out.items()}
    read: dict[str, Pictures] = {}
    kept: dict[str, NDArray[np.int64]] = {}
    for part, listing in found.parts.items():
        images, readable = _read(listing.files, side)
        for label in listing.labels[~readable]:
            counts = left_out.setdefault(listing.classes[label], {})
            counts[DAMAGED] = counts.get(DAMAGED, 0) + 1
        read[part] = Pictures(images, listing.labels[readable])
        kept[part] = np.flatnonzero(readable)
        _require(part, read[part], listing)
    dataset = Dataset(
        found.name, read["train"], read["test"], found.classes, None, left_out,
        read.get("held_out"),
    )  # fmt: skip
    files = {part: [str(listing.files[i]) for i in kept[part]] for part, listing in _named(found)}
    about = {
        "version": VERSION,
        "name": found.name,
        "classes": list(found.classes),
        "files": files,
        "left_out": left_out,
    }
    positions = {part: np.arange(len(pictures)) for part, pictures in read.items()}
    return Subset(dataset, positions["train"], positions["test"], about)


def unread(left_out: LeftOut) -> int:
    """How many files are pictures, or may be, and were not read."""
    return sum(sum(lost(counts).values()) for counts in left_out.values())


def _named(found: Found) -> list[tuple[str, Listing]]:
    return sorted(found.parts.items())


def _same_classes(listing: Listing, train: Listing, folder: Path) -> Listing:
    if differing := sorted(set(train.classes) ^ set(listing.classes)):
        raise DataError(
            f"the class {differing[0]!r} is in only one of the training part and {shown(folder)}:"
            " both need the same sub-folders"
        )
    return listing


def _with_train(found: Found, positions: NDArray[np.int64]) -> Found:
    train = found.parts["train"]
    files = tuple(train.files[index] for index in positions)
    smaller = replace(train, files=files, labels=train.labels[positions])
    return replace(found, parts={**found.parts, "train": smaller})


def _shorter_side(file: Path) -> int:
    """0 of a file that cannot be opened."""
    try:
        with Image.open(file, formats=FORMATS) as opened:
            return min(opened.size)
    except Exception:  # whatever a decoder raises, the file is left out when it is read
        return 0


def _read(files: Sequence[Path], side: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pictures uint8 ``[M, side, side, 3]``, and bool ``[N]``: which of the files they are of."""
    images = np.empty((len(files), side, side, 3), np.uint8)
    readable = np.zeros(len(files), bool)
    for number, file in enumerate(files):
        try:
            images[number] = np.asarray(read_picture(file, side))
            readable[number] = True
        except DataError:
            continue
    return images[readable], readable


def _require(part: str, pictures: Pictures, listing: Listing) -> None:
    counts = np.bincount(pictures.labels, minlength=len(listing.classes))
    for name, count in zip(listing.classes, counts.tolist(), strict=True):
        if count < _LEAST[part]:
            raise DataError(
                f"the class {name!r} has {count} readable pictures in its {part} part, at least"
                f" {_LEAST[part]} are needed: add some or remove its folder"
            )
