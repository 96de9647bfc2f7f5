"""Pictures with labels, and data sets made of a training and a test part.

Both are immutable values: their arrays are read-only views, so that one loaded data set
can be shared by every trial of a process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autodl.data.names import normal
from autodl.errors import DataError, lookup

LeftOut: TypeAlias = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Colour pictures of one size with their class numbers.

    ``images`` is uint8 ``[N, H, W, 3]`` (RGB), ``labels`` int64 ``[N]`` and never negative;
    ``N`` may be 0. Both are kept as read-only views of the arrays that were given.

    Raises:
        DataError: wrong type, dtype or shape, a negative label, or unequal lengths.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        _require_array("images", images, np.dtype(np.uint8))
        _require_array("labels", labels, np.dtype(np.int64))
        if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
            raise DataError(f"images must have the shape [N, H, W, 3], got {list(images.shape)}")
        if labels.ndim != 1:
            raise DataError(f"labels must have the shape [N], got {list(labels.shape)}")
        if len(images) != len(labels):
            raise DataError(f"there are {len(images)} pictures but {len(labels)} labels")
        if labels.size and labels.min() < 0:
            raise DataError(f"labels are numbered from 0, got {labels.min()}")
        object.__setattr__(self, "images", _read_only(images))
        object.__setattr__(self, "labels", _read_only(labels))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: NDArray[np.int64]) -> Pictures:
        """The pictures at ``positions`` (int64 ``[M]``), in that order, copied."""
        return Pictures(self.images[positions], self.labels[positions])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set: training part, test part and the names of its classes.

    ``classes[k]`` is the name of label ``k``. ``official`` says whether the files had the
    MD5 sums of the published archive; None where nothing was published. ``left_out`` counts, by
    class and reason, the files of a folder that were not read. ``held_out`` are pictures that come
    with it to score on; None where they are to be cut from the training part.

    Raises:
        DataError: fewer than two classes, a class named twice, a label without a name,
            parts of different picture sizes, or an empty part.
    """

    name: str
    train: Pictures
    test: Pictures
    classes: tuple[str, ...]
    official: bool | None
    left_out: LeftOut = field(default_factory=dict)
    held_out: Pictures | None = None

    @property
    def parts(self) -> dict[str, Pictures]:
        """The parts that there are, by what messages call them."""
        given = {"training": self.train, "test": self.test, "held-out": self.held_out}
        return {name: part for name, part in given.items() if part is not None}

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(
                f"data set {self.name!r} needs at least 2 classes, got {list(self.classes)}"
            )
        if repeated := [c for i, c in enumerate(self.classes) if c in self.classes[:i]]:
            raise DataError(f"data set {self.name!r} names the class {repeated[0]!r} twice")
        for part, pictures in self.parts.items():
            if not len(pictures):
                raise DataError(f"the {part} part of data set {self.name!r} holds no picture")
            if (highest := int(pictures.labels.max())) >= len(self.classes):
                raise DataError(
                    f"the {part} part of data set {self.name!r} has the label {highest}, "
                    f"allowed are 0 to {len(self.classes) - 1}"
                )
        size = self.train.images.shape[1:3]
        for part, pictures in self.parts.items():
            if (other := pictures.images.shape[1:3]) != size:
                raise DataError(
                    f"data set {self.name!r} has training pictures of {_size_text(size)} "
                    f"but {part} pictures of {_size_text(other)}"
                )

    @cached_property
    def checksum(self) -> str:
        """SHA-256 (hex) over shapes, pictures and labels of all parts; ties a run to its data."""
        digest = hashlib.sha256()
        for pictures in self.parts.values():
            digest.update(repr(pictures.images.shape).encode())
            digest.update(np.ascontiguousarray(pictures.images).data)
            # little-endian on every machine, so that the sum is too
            digest.update(np.ascontiguousarray(pictures.labels, dtype="<i8").data)
        return digest.hexdigest()


def resize(pictures: Pictures, size: int) -> Pictures:
    """Square pictures at ``size`` x ``size``.

    Shrinking by a whole factor takes the rounded mean of each block; other sizes go through
    Pillow, picture by picture (box filter to shrink, bilinear to enlarge). A picture that
    already has the size is not touched.

    Raises:
        DataError: the pictures are not square or ``size`` is not positive.
    """
    count, height, width, _ = pictures.images.shape
    if size < 1:
        raise DataError(f"pictures cannot be resized to {size}, the size must be at least 1")
    if height != width:
        raise DataError(
            f"pictures of {_size_text((height, width))} are not square; "
            "load them from a folder with Data.image_size, which cuts squares"
        )
    if size == height:
        return pictures
    if height % size == 0:
        return Pictures(_block_mean(pictures.images, height // size), pictures.labels)
    method = Image.Resampling.BOX if size < height else Image.Resampling.BILINEAR
    images = np.empty((count, size, size, 3), np.uint8)
    for picture, resized in zip(pictures.images, images, strict=True):
        resized[...] = np.asarray(Image.fromarray(picture).resize((size, size), method))
    return Pictures(images, pictures.labels)


def resize_dataset(dataset: Dataset, size: int) -> Dataset:
    """``dataset`` with all parts resized to ``size`` x ``size``."""
    return _changed(dataset, lambda part: resize(part, size))


def _changed(dataset: Dataset, change: Callable[[Pictures], Pictures]) -> Dataset:
    held_out = None if dataset.held_out is None else change(dataset.held_out)
    return replace(
        dataset, train=change(dataset.train), test=change(dataset.test), held_out=held_out
    )


def select_classes(dataset: Dataset, wanted: int | Sequence[str]) -> Dataset:
    """``dataset`` with fewer classes: the first ``wanted`` ones, or those named in ``wanted``.

    Labels are renumbered in the order of ``wanted``; pictures keep their order.

    Raises:
        DataError: a count out of range, or a name given twice.
        UnknownNameError: the data set has no such class.
    """
    if isinstance(wanted, int):
        if not 2 <= wanted <= len(dataset.classes):
            raise DataError(
                f"cannot take {wanted} classes of {dataset.name!r}, "
                f"allowed are 2 to {len(dataset.classes)}"
            )
        names = dataset.classes[:wanted]
    else:
        names = tuple(wanted)
    numbers = {normal(name): number for number, name in enumerate(dataset.classes)}
    kept = [lookup(numbers, normal(name), f"class of {dataset.name}") for name in names]
    renumbered = np.full(len(dataset.classes), -1, np.int64)
    renumbered[kept] = np.arange(len(kept))
    selected = tuple(dataset.classes[number] for number in kept)
    return replace(_changed(dataset, lambda part: _renumber(part, renumbered)), classes=selected)


def _renumber(pictures: Pictures, renumbered: NDArray[np.int64]) -> Pictures:
    labels = renumbered[pictures.labels]
    kept = labels >= 0
    return Pictures(pictures.images[kept], labels[kept])


def _block_mean(images: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    area = factor * factor
    total = images[:, ::factor, ::factor].astype(np.uint32)
    for place in range(1, area):  # a sum over two axes takes three to seven times as long
        total += images[:, place // factor :: factor, place % factor :: factor]
    return ((total + area // 2) // area).astype(np.uint8)


def _require_array(name: str, value: Any, dtype: np.dtype[Any]) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        got = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise DataError(f"{name} must be a NumPy array of {dtype}, got {got}")


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _size_text(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
