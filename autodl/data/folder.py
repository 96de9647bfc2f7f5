"""Any folder of pictures with one sub-folder per class, perhaps in parts (see ``layout.py``)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodl.data.dataset import Dataset, LeftOut, Pictures
from autodl.data.layout import find_layout, refuse_too_few, sub_folders
from autodl.data.names import class_names, normal, shown
from autodl.data.picture import SUFFIXES, lost, pictures_in, read_picture, told
from autodl.data.splits import SPLIT_SEED, class_order, shares
from autodl.errors import DataError
from autodl.system.yaml_text import is_text

BESIDE, UNREAD = "beside the class folders", "in a part that is not read"
_MOST_TOLD = 5  # classes in one warning; run.json has them all
_LOG = logging.getLogger("autodl.data")


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The picture files of one part: ``labels`` int64 ``[N]`` belongs to ``files``.

    ``left_out`` counts by class and reason what else is there, ``.`` being beside the classes.
    """

    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    left_out: LeftOut


def load_folder(
    path: Path, image_size: int | None, test_share: float = 0.2, seed: int = SPLIT_SEED
) -> Dataset:
    """Read a folder of pictures; classes are the sub-folders' names (NFC), sorted.

    Grey and palette pictures become RGB, transparent ones lie on white, the EXIF
    orientation is applied, of an animation the first picture counts.

    Args:
        path: the folder; with ``train/`` and ``test/`` (or ``val/``) in it, those are used, see
            ``find_layout``.
        image_size: side of the square that is cut from the centre and resized; None takes
            the pictures as they are, which must then be squares of one size.
        test_share: share of every class that becomes the test part if there is none,
            0 < share < 1; at least one picture per class.
        seed: of that cut.

    Returns:
        A data set named after the folder; ``official`` is None. What may be a picture and is not
        read is told by a warning, and all that is not read counted in ``left_out``.

    Raises:
        DataError: no such folder, a layout that is none, a single class, an empty class, a name
            that is no text, an unreadable picture, or parts with different classes; the message
            names the folder or file.
    """
    path = Path(path)
    if not 0 < test_share < 1:
        raise DataError(f"the test share must lie between 0 and 1, got {test_share}")
    try:
        if not path.is_dir():
            raise DataError(
                f"{shown(path)} is not a folder: Data.path must name one with a sub-folder for"
                " each class"
            )
        name = path.resolve().name
        train, test, left_out = list_parts(path, test_share, seed)
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {error.strerror or error}") from error
    if not is_text(name):
        raise DataError(f"the name of the folder {name!r} is no UTF-8 text: rename it")
    _tell(path, left_out)
    read = [read_pictures(part.files, image_size) for part in (train, test)]
    return Dataset(
        name,
        Pictures(read[0], train.labels),
        Pictures(read[1], test.labels),
        train.classes,
        None,
        left_out,
    )


def list_pictures(path: Path) -> Listing:
    """The pictures in the sub-folders of ``path``, sorted by class and file name.

    Raises:
        DataError: fewer than two sub-folders, or one without a picture.
    """
    folders = sub_folders(path)
    refuse_too_few(path, folders)
    classes = class_names(folders)
    files: list[Path] = []
    labels: list[int] = []
    left_out: dict[str, Mapping[str, int]] = {}
    for number, (name, folder) in enumerate(zip(classes, folders, strict=True)):
        found = pictures_in(folder)
        if not found.pictures:
            missed = lost(found.left_out)
            raise DataError(
                f"the class folder {shown(folder)} holds no picture"
                f" ({', '.join(sorted(SUFFIXES))}){f', but {told(missed)}' if missed else ''}:"
                " add some or remove the folder"
            )
        files += found.pictures
        labels += [number] * len(found.pictures)
        if found.left_out:
            left_out[name] = found.left_out
    if loose := len(pictures_in(path).pictures):
        left_out["."] = {BESIDE: loose}
    return Listing(tuple(files), np.asarray(labels, np.int64), classes, left_out)


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
                f"{shown(file)} has {picture.width}x{picture.height} pixels where {side}x{side}"
                " are expected: give Data.image_size to bring all pictures to one size"
            )
        if images is None:
            images = np.empty((len(files), side, side, 3), np.uint8)
        images[number] = np.asarray(picture)
    if images is None:
        raise DataError("there is no picture to read")
    return images


def list_parts(path: Path, test_share: float, seed: int) -> tuple[Listing, Listing, LeftOut]:
    """The training and test pictures of a folder, and what is not read; see ``load_folder``."""
    layout = find_layout(path)
    if layout.test is not None:
        train, test = list_pictures(layout.train), list_pictures(layout.test)
        if differing := sorted(set(train.classes) ^ set(test.classes)):
            raise DataError(
                f"the class {differing[0]!r} is in only one of {shown(layout.train)} and"
                f" {shown(layout.test)}: both need the same sub-folders"
            )
        _require_per_class(train, 2, "training and held-out")
        unread = {
            normal(folder.name): {UNREAD: count}
            for folder in layout.unread
            if (count := _pictures_below(folder))
        }
        return train, test, {**added(train.left_out, test.left_out), **unread}
    whole = list_pictures(path)
    _require_per_class(whole, 3, "training, held-out and test")
    sizes = np.bincount(whole.labels).tolist()
    wanted = max(len(sizes), round(test_share * len(whole.files)))
    counts = shares(sizes, wanted, [size - 2 for size in sizes], "test pictures")
    order = class_order(whole.labels, seed)
    test_positions = [members[:count] for members, count in zip(order, counts, strict=True)]
    in_test = np.zeros(len(whole.files), bool)
    in_test[np.concatenate(test_positions)] = True
    return _part(whole, ~in_test), _part(whole, in_test), whole.left_out


def _pictures_below(folder: Path) -> int:
    left_out = pictures_in(folder)
    return len(left_out.pictures) + sum(lost(left_out.left_out).values())


def added(one: LeftOut, other: LeftOut) -> LeftOut:
    """Counts of two parts together."""
    return {
        name: dict(Counter(one.get(name, {})) + Counter(other.get(name, {})))
        for name in sorted({*one, *other})
    }


def _tell(path: Path, left_out: LeftOut) -> None:
    """Say what was not read: a warning if pictures may be among it."""
    missed = {name: lost(counts) for name, counts in left_out.items() if lost(counts)}
    if missed:
        parts = [f"{name!r}: {told(counts)}" for name, counts in missed.items()]
        more = f" and {len(parts) - _MOST_TOLD} more" if len(parts) > _MOST_TOLD else ""
        count = sum(sum(counts.values()) for counts in missed.values())
        _LOG.warning(
            "%d files in %s may be pictures and are not read (%s%s)",
            *(count, shown(path), "; ".join(parts[:_MOST_TOLD]), more),
        )
    if others := sum(sum(counts.values()) for counts in left_out.values()) - sum(
        sum(counts.values()) for counts in missed.values()
    ):
        _LOG.info("skipped %d files in %s that are not pictures", others, shown(path))


def _part(whole: Listing, chosen: NDArray[np.bool_]) -> Listing:
    files = tuple(file for file, taken in zip(whole.files, chosen, strict=True) if taken)
    return Listing(files, whole.labels[chosen], whole.classes, whole.left_out)


def _require_per_class(listing: Listing, least: int, parts: str) -> None:
    for name, count in zip(listing.classes, np.bincount(listing.labels), strict=True):
        if count < least:
            raise DataError(
                f"the class {name!r} has {count} pictures, at least {least} are needed "
                f"({parts}): add some or remove its folder"
            )
