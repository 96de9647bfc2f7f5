"""Small subsets of a data set in one ``.npz`` file: cut, written, read.

Both parts are cut from the *training* part of the source, so that its test part stays
unseen: the pictures "to try things on" come from the front of every class's order, those to
train on from behind its reserve (see ``splits.py``).
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.dataset import Dataset, LeftOut, Pictures, resize_dataset, select_classes
from autodl.data.splits import SPLIT_SEED, reserve_size, split_per_class
from autodl.errors import DataError
from autodl.system.files import replacing

VERSION = 1
_ARRAYS = (
    "train_images",
    "train_labels",
    "train_indices",
    "test_images",
    "test_labels",
    "test_indices",
)
_HELD_OUT = ("held_out_images", "held_out_labels")  # of sets that come with such a part


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """A cut data set and where its pictures stood in the training part of the source.

    ``train_indices`` and ``test_indices`` are int64, sorted, one per picture.
    """

    dataset: Dataset
    train_indices: NDArray[np.int64]
    test_indices: NDArray[np.int64]
    about: Mapping[str, Any]


def cut_subset(
    source: Dataset,
    *,
    per_class: int = 100,
    test_per_class: int = 20,
    image_size: int | None = None,
    classes: int | tuple[str, ...] | None = None,
    seed: int = SPLIT_SEED,
) -> Subset:
    """Cut ``per_class`` + ``test_per_class`` pictures of every class from the training part.

    A class keeps its order (and its reserve) when others are left out, so two subsets of
    one source never have a picture in the training part of one and the test part of the
    other, as long as ``test_per_class`` stays within the reserve.

    Raises:
        DataError: a class has too few pictures, or another number is out of range.
        UnknownNameError: the source has no such class.
    """
    chosen = source if classes is None else select_classes(source, classes)
    class_ids = [source.classes.index(name) for name in chosen.classes]
    kept = np.flatnonzero(np.isin(source.train.labels, class_ids))
    _require_enough(chosen, per_class, test_per_class)
    cut = split_per_class(chosen.train.labels, test_per_class, per_class, seed, class_ids)
    dataset = Dataset(
        f"{source.name}-subset",
        chosen.train.take(cut.train),
        chosen.train.take(cut.held_out),
        chosen.classes,
        None,
    )
    if image_size is not None:
        dataset = resize_dataset(dataset, image_size)
    about = {
        "version": VERSION,
        "name": dataset.name,
        "source": source.name,
        "source_official": source.official,
        "source_checksum": source.checksum,
        "classes": list(chosen.classes),
        "seed": seed,
    }
    return Subset(dataset, kept[cut.train], kept[cut.held_out], about)


def write_npz(subset: Subset, path: Path) -> None:
    """Write ``subset`` to ``path``, whole or not at all; the same subset gives the same bytes.

    Raises:
        StoreError: the file cannot be written.
        DataError: ``path`` does not end in ``.npz``.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise DataError(f"the subset's file must end in .npz, got {path.name!r}")
    parts = {"train": subset.dataset.train, "test": subset.dataset.test}
    arrays: dict[str, Any] = {}
    for part, pictures in parts.items():
        arrays[f"{part}_images"] = pictures.images
        arrays[f"{part}_labels"] = pictures.labels
    if (held_out := subset.dataset.held_out) is not None:
        arrays |= dict(zip(_HELD_OUT, (held_out.images, held_out.labels), strict=True))
    arrays["train_indices"] = subset.train_indices
    arrays["test_indices"] = subset.test_indices
    about = json.dumps(dict(subset.about), sort_keys=True, ensure_ascii=False)
    # names of files may be no UTF-8 text: escapes, which are JSON's own, bring them back
    arrays["about"] = np.frombuffer(about.encode("utf-8", "backslashreplace"), np.uint8)
    with replacing(path) as aside:
        np.savez_compressed(aside, **arrays)


def read_subset(path: Path) -> Subset:
    """Read what ``write_npz`` wrote. Pickled objects in the file are refused, not loaded.

    Raises:
        DataError: no such file, a damaged one, or one that is no subset.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            more = _HELD_OUT if _HELD_OUT[0] in stored else ()
            arrays = {name: stored[name] for name in (*_ARRAYS, *more, "about")}
        about = json.loads(arrays["about"].tobytes().decode())
        if about["version"] != VERSION:
            raise ValueError(f"version {about['version']!r}, this program reads {VERSION}")
        name, classes = about["name"], tuple(about["classes"])
        left_out = {
            where: {reason: int(count) for reason, count in counts.items()}
            for where, counts in about.get("left_out", {}).items()
        }
        if not isinstance(name, str) or not all(isinstance(c, str) for c in classes):
            raise TypeError("names that are no text")
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist: make such a subset with autodl prepare_data"
        ) from error
    except (
        *(OSError, ValueError, KeyError, TypeError, EOFError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, NotImplementedError, AttributeError),
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is damaged or no subset of autodl prepare_data ({reason}): make it again"
        ) from error
    return _assemble(path, arrays, name, classes, left_out, about)


def load_npz(path: Path) -> Dataset:
    """The data set in a subset's file; ``official`` is None.

    Raises:
        DataError: see ``read_subset``.
    """
    return read_subset(path).dataset


def _assemble(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    name: str,
    classes: tuple[str, ...],
    left_out: LeftOut,
    about: Mapping[str, Any],
) -> Subset:
    try:
        train = Pictures(arrays["train_images"], arrays["train_labels"])
        test = Pictures(arrays["test_images"], arrays["test_labels"])
        for part, pictures in (("train", train), ("test", test)):
            indices = arrays[f"{part}_indices"]
            if indices.dtype != np.int64 or indices.shape != (len(pictures),):
                raise DataError(
                    f"{part}_indices must be int64 [{len(pictures)}], "
                    f"got {indices.dtype} {list(indices.shape)}"
                )
        held_out = None
        if _HELD_OUT[0] in arrays:
            held_out = Pictures(arrays[_HELD_OUT[0]], arrays[_HELD_OUT[1]])
        dataset = Dataset(name, train, test, classes, None, left_out, held_out)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return Subset(dataset, arrays["train_indices"], arrays["test_indices"], about)


def _require_enough(dataset: Dataset, per_class: int, test_per_class: int) -> None:
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    for name, count in zip(dataset.classes, counts.tolist(), strict=True):
        room = count - max(reserve_size(count), test_per_class)
        if per_class > room:
            raise DataError(
                f"the class {name!r} has {count:,} training pictures: beside {test_per_class:,} "
                f"test pictures it can give {max(room, 0):,}, not {per_class:,}"
            )
