"""Any folder of pictures with one sub-folder per class.

pictures/cat/1.png  pictures/dog/7.jpg           a seeded share of each class becomes the test
pictures/train/cat/1.png  pictures/test/dog/7.jpg                part (or ``val`` for ``test``)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodl.data.dataset import Dataset, Pictures
from autodl.data.picture import SUFFIXES, read_picture
from autodl.data.splits import SPLIT_SEED, class_order, shares
from autodl.errors import DataError

_LOG = logging.getLogger("autodl.data")


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The picture files of one part: ``labels`` int64 ``[N]`` belongs to ``files``.

    ``skipped`` counts what is no picture: other files, and folders within class folders.
    """

    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    skipped: int


def load_folder(
    path: Path, image_size: int | None, test_share: float = 0.2, seed: int = SPLIT_SEED
) -> Dataset:
    """Read a folder of pictures; classes are the sub-folders' names, sorted.

    Grey and palette pictures become RGB, transparent ones lie on white, the EXIF
    orientation is applied, of an animation the first picture counts.

    Args:
        path: the folder; with ``train/`` and ``test/`` (or ``val/``) in it, those are used.
        image_size: side of the square that is cut from the centre and resized; None takes
            the pictures as they are, which must then be squares of one size.
        test_share: share of every class that becomes the test part if there is none,
            0 < share < 1; at least one picture per class.
        seed: of that cut.

    Returns:
        A data set named after the folder; ``official`` is None.

    Raises:
        DataError: no such folder, a single class, an empty class, an unreadable picture,
            or parts with different classes; the message names the folder or file.
    """
    path = Path(path)
    if not 0 < test_share < 1:
        raise DataError(f"the test share must lie between 0 and 1, got {test_share}")
    if not path.is_dir():
        raise DataError(
            f"{path} is not a folder: Data.path must name one with a sub-folder for each class"
        )
    try:
        train, test = _list_parts(path, test_share, seed)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if skipped := train.skipped + test.skipped:
        _LOG.info("skipped %d files in %s that are not pictures", skipped, path)
    read = [read_pictures(part.files, image_size) for part in (train, test)]
    return Dataset(
        path.resolve().name,
        Pictures(read[0], train.labels),
        Pictures(read[1], test.labels),
        train.classes,
        None,
    )


def list_pictures(path: Path) -> Listing:
    """The pictures in the sub-folders of ``path``, sorted by class and file name.

    Raises:
        DataError: fewer than two sub-folders, or one without a picture.
    """
    folders = _class_folders(path)
    if len(folders) < 2:
        found = f"only {folders[0].name!r}" if folders else "none"
        raise DataError(
            f"{path} needs at least 2 sub-folders of pictures, one per class; it has {found}"
        )
    files: list[Path] = []
    labels: list[int] = []
    skipped = 0
    for number, folder in enumerate(folders):
        entries = sorted(folder.iterdir())
        pictures = [entry for entry in entries if _is_picture(entry)]
        if not pictures:
            raise DataError(
                f"the class folder {folder} holds no picture ({', '.join(sorted(SUFFIXES))}): "
                "add some or remove the folder"
            )
        files += pictures
        labels += [number] * len(pictures)
        skipped += len(entries) - len(pictures)
    classes = tuple(folder.name for folder in folders)
    return Listing(tuple(files), np.asarray(labels, np.int64), classes, skipped)


def read_pictures(files: Sequence[Path], image_size: int | None) -> NDArray[np.uint8]:
    """Read ``files`` into uint8 ``[N, S, S, 3]``; ``S`` is ``image_size`` or the common side.

    Raises:
        DataError: a file is unreadable; without ``image_size``, one that is no square or has
            another size than the first.
    """
    side = image_size
    images: NDArray[np.uint8] | None = None
    for number, file in enumerate(files):
        picture = read_picture(file, image_size)
        side = side or picture.width
        if picture.size != (side, side):
            raise DataError(
                f"{file} has {picture.width}x{picture.height} pixels where {side}x{side} are "
                "expected: give Data.image_size to bring all pictures to one size"
            )
        if images is None:
            images = np.empty((len(files), side, side, 3), np.uint8)
        images[number] = np.asarray(picture)
    if images is None:
        raise DataError("there is no picture to read")
    return images


def _list_parts(path: Path, test_share: float, seed: int) -> tuple[Listing, Listing]:
    parts = {part: path / part for part in ("train", "test", "val") if _has_folders(path / part)}
    if "train" in parts and len(parts) > 1:
        test_part = parts.get("test") or parts["val"]
        if len(parts) == 3:
            _LOG.warning("%s is not read: %s is the test part", parts["val"], test_part)
        train, test = list_pictures(parts["train"]), list_pictures(test_part)
        if differing := sorted(set(train.classes) ^ set(test.classes)):
            raise DataError(
                f"the class {differing[0]!r} is in only one of {parts['train']} and {test_part}: "
                "both need the same sub-folders"
            )
        _require_per_class(train, 2, "training and held-out")
        return train, test
    whole = list_pictures(path)
    _require_per_class(whole, 3, "training, held-out and test")
    sizes = np.bincount(whole.labels).tolist()
    wanted = max(len(sizes), round(test_share * len(whole.files)))
    counts = shares(sizes, wanted, [size - 2 for size in sizes], "test pictures")
    order = class_order(whole.labels, seed)
    test_positions = [members[:count] for members, count in zip(order, counts, strict=True)]
    in_test = np.zeros(len(whole.files), bool)
    in_test[np.concatenate(test_positions)] = True
    return _part(whole, ~in_test, whole.skipped), _part(whole, in_test, 0)


def _part(whole: Listing, chosen: NDArray[np.bool_], skipped: int) -> Listing:
    files = tuple(file for file, taken in zip(whole.files, chosen, strict=True) if taken)
    return Listing(files, whole.labels[chosen], whole.classes, skipped)


def _require_per_class(listing: Listing, least: int, parts: str) -> None:
    for name, count in zip(listing.classes, np.bincount(listing.labels), strict=True):
        if count < least:
            raise DataError(
                f"the class {name!r} has {count} pictures, at least {least} are needed "
                f"({parts}): add some or remove its folder"
            )


def _class_folders(path: Path) -> list[Path]:
    """Sub-folders, without those that file managers and archivers leave behind."""
    return sorted(
        entry
        for entry in path.iterdir()
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))
    )


def _has_folders(path: Path) -> bool:
    return path.is_dir() and bool(_class_folders(path))


def _is_picture(path: Path) -> bool:
    # "._1.png" is what macOS writes beside "1.png" on foreign disks
    hidden = path.name.startswith(".")
    return path.is_file() and not hidden and path.suffix.lower() in SUFFIXES
