"""CIFAR-10 and CIFAR-100 from the official python archives (Krizhevsky, 2009).

Both a folder and the ``.tar.gz`` are read; the archive is never unpacked to disk. MD5 sums
only decide what ``Dataset.official`` says: other pictures in the same layout load as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autodl.data.dataset import Dataset, Pictures
from autodl.data.unpickle import as_text, load_restricted
from autodl.errors import DataError
from autodl.system.archives import Parts, archived_files

_SIDE = 32
_LARGEST_MEMBER = 512 * 1024**2  # bytes; the largest official file has 155 million
_MEND = "Get the official archive again"


@dataclass(frozen=True, slots=True)
class Layout:
    """What an official archive holds; ``md5`` has the published sum of each file."""

    name: str
    folder: str
    archive: str
    archive_md5: str
    train: tuple[str, ...]
    test: str
    meta: str
    label_key: str
    names_key: str
    classes: int
    md5: Mapping[str, str]

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.meta)


LAYOUTS: Mapping[int, Layout] = {
    10: Layout(
        name="cifar10",
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        archive_md5="c58f30108f718f92721af3b95e74349a",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
        meta="batches.meta",
        label_key="labels",
        names_key="label_names",
        classes=10,
        md5={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
    ),
    100: Layout(
        name="cifar100",
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
        train=("train",),
        test="test",
        meta="meta",
        label_key="fine_labels",
        names_key="fine_label_names",
        classes=100,
        md5={
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "7973b15100ade9c7d40fb424638fde48",
        },
    ),
}


def load_cifar(path: Path, classes: Literal[10, 100]) -> Dataset:
    """Read CIFAR-10 or CIFAR-100 (fine labels).

    Args:
        path: the official folder, the folder that holds it (or the archive), or the
            ``.tar.gz``.
        classes: 10 or 100.

    Returns:
        Pictures uint8 ``[N, 32, 32, 3]``. ``official`` is True if the archive, or for a
        folder every file in it, has the published MD5 sum, else False.

    Raises:
        DataError: nothing there, a damaged or foreign file, links or escaping paths in the
            archive, wrong shapes, labels out of range; the message names the file.
    """
    layout = LAYOUTS[classes]
    found = _find(Path(path), layout)
    try:
        if found.is_dir():
            contents = _read_folder(found, layout)
            official = all(_md5(contents[name]) == layout.md5[name] for name in layout.files)
        else:
            contents = _read_archive(found, layout)
            official = _file_md5(found) == layout.archive_md5
    except OSError as error:
        raise DataError(f"cannot read {found}: {error.strerror or error}") from error
    names = _class_names(contents[layout.meta], f"{found}: {layout.meta}", layout)
    train = [_batch(contents[name], f"{found}: {name}", layout) for name in layout.train]
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    test = _batch(contents[layout.test], f"{found}: {layout.test}", layout)
    return Dataset(layout.name, Pictures(images, labels), Pictures(*test), names, official)


def _find(path: Path, layout: Layout) -> Path:
    if path.is_file():
        return path
    if path.is_dir():
        if (path / layout.meta).is_file():
            return path
        for inside in (path / layout.folder, path / layout.archive):
            if inside.exists():
                return inside
        if (path / layout.train[0]).is_file():
            return path  # then the message says what else is missing
        raise DataError(
            f"{path} holds neither {layout.folder}/ nor {layout.archive}: "
            f"give the place of the official {layout.name} python archive"
        )
    raise DataError(
        f"{path} does not exist: give the official {layout.name} python archive "
        f"({layout.archive}, or the folder {layout.folder})"
    )


def _read_folder(folder: Path, layout: Layout) -> dict[str, bytes]:
    if missing := [name for name in layout.files if not (folder / name).is_file()]:
        raise DataError(_missing(folder, missing))
    return {name: (folder / name).read_bytes() for name in layout.files}


def _read_archive(path: Path, layout: Layout) -> dict[str, bytes]:
    """The files that are needed."""
    contents: dict[str, bytes] = {}

    def wanted(parts: Parts) -> bool:
        return parts[:-1] == (layout.folder,) and parts[-1] in layout.files

    for parts, content in archived_files(path, wanted, largest=_LARGEST_MEMBER, mend=_MEND):
        if parts[-1] in contents:
            raise DataError(f"{path} holds {'/'.join(parts)!r} twice: it is not official")
        contents[parts[-1]] = content
    if missing := [name for name in layout.files if name not in contents]:
        raise DataError(_missing(path, [f"{layout.folder}/{name}" for name in missing]))
    return contents


def _batch(
    content: bytes, where: str, layout: Layout
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    loaded = load_restricted(content, where)
    for key in ("data", layout.label_key):
        if key not in loaded:
            raise DataError(f"{where} has no {key!r}: it is no batch of {layout.name}")
    data, labels = loaded["data"], _labels(loaded[layout.label_key], where, layout)
    wanted = 3 * _SIDE * _SIDE
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (wanted,):
        got = (
            f"{data.dtype} {list(data.shape)}"
            if isinstance(data, np.ndarray)
            else type(data).__name__
        )
        raise DataError(f"{where}: pictures must be uint8 [N, {wanted}], got {got}")
    if len(data) != len(labels):
        raise DataError(f"{where} has {len(data)} pictures but {len(labels)} labels")
    planes = data.reshape(-1, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _labels(values: Any, where: str, layout: Layout) -> NDArray[np.int64]:
    try:
        labels = np.asarray(values)
    except ValueError:  # a list of lists of unequal lengths
        labels = np.empty(0, object)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{where}: {layout.label_key} must be a list of integers")
    wrong = labels[(labels < 0) | (labels >= layout.classes)]
    if len(wrong):
        raise DataError(f"{where} has the label {wrong[0]}, allowed are 0 to {layout.classes - 1}")
    return labels.astype(np.int64)


def _class_names(content: bytes, where: str, layout: Layout) -> tuple[str, ...]:
    names = load_restricted(content, where).get(layout.names_key)
    if not isinstance(names, Sequence) or len(names) != layout.classes:
        raise DataError(f"{where} must list {layout.classes} names in {layout.names_key!r}")
    try:
        return tuple(as_text(name) for name in names)
    except TypeError as error:
        raise DataError(f"{where}: {layout.names_key!r} holds {error}") from error


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _file_md5(path: Path) -> str:
    with path.open("rb") as source:
        md5 = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False))
    return md5.hexdigest()


def _missing(where: Path, names: Sequence[str]) -> str:
    return f"{where} lacks {', '.join(names)}: it is incomplete. {_MEND}"
