"""Normalised batches from pictures: uint8 ``[N, H, W, 3]`` in, float32 ``[B, 3, H, W]`` out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.augment import Augment
from autodl.data.dataset import Pictures
from autodl.errors import DataError

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]

_LEAST_STD = 1.0 / 255.0  # one grey level: a channel without variation becomes 0, not NaN
_CHUNK = 512  # pictures; 512 squares of 255 fit into 32 bits


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation per channel, of pixel values scaled to 0..1.

    ``per_picture`` standardises each picture by its own, see ``standardised``; the mean of the
    channels then still is the colour that borders and cut-outs are filled with.

    Raises:
        DataError: not three finite numbers each, or a deviation that is not positive.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    per_picture: bool = False

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not np.isfinite(values).all():
                raise DataError(f"{name} must be three finite numbers, got {values}")
        if min(self.std) <= 0:
            raise DataError(f"std must be positive, got {self.std}")

    @classmethod
    def of(cls, pictures: Pictures) -> Normalisation:
        """Statistics of ``pictures``: give it the training part and nothing else.

        Sums are exact integers. The deviation (of the population) is at least 1/255, so a
        channel of one value becomes 0.

        Raises:
            DataError: there is no picture.
        """
        count, height, width, _ = pictures.images.shape
        if not count:
            raise DataError("mean and std need at least one picture, got none")
        total = np.zeros(3, np.uint64)
        squares = np.zeros(3, np.uint64)
        for start in range(0, count, _CHUNK):
            part = pictures.images[start : start + _CHUNK]
            wide = part.astype(np.uint32)
            total += wide.sum(axis=0, dtype=np.uint32).sum(axis=(0, 1), dtype=np.uint64)
            wide *= wide
            squares += wide.sum(axis=0, dtype=np.uint32).sum(axis=(0, 1), dtype=np.uint64)
        pixels = count * height * width
        mean = total.astype(np.float64) / pixels
        # exact in Python's integers; the difference of two large floats would not be
        variance = [
            (pixels * int(square) - int(summed) ** 2) / pixels**2
            for square, summed in zip(squares, total, strict=True)
        ]
        std = np.maximum(np.sqrt(variance) / 255.0, _LEAST_STD)
        red, green, blue = (float(value) for value in mean / 255.0)
        return cls((red, green, blue), (float(std[0]), float(std[1]), float(std[2])))

    @classmethod
    def from_plain(cls, known: Mapping[str, Any]) -> Normalisation:
        """The inverse of ``to_plain``, from a record that may hold more."""
        mean, std = tuple(known["mean"]), tuple(known["std"])
        return cls(mean, std, bool(known.get("per_picture", False)))

    def to_plain(self) -> dict[str, Any]:
        """For the record of a training; runs of earlier versions have no ``per_picture``."""
        plain = {"mean": list(self.mean), "std": list(self.std)}
        return {**plain, "per_picture": True} if self.per_picture else plain

    @property
    def formula(self) -> str:
        """What ``normalise`` does with pixels of 0 to 255, for whoever deploys a network."""
        if self.per_picture:
            return (
                "(x - m) / max(s, 1 / sqrt(n)) with x = pixel / 255, m and s the mean and the"
                " deviation (of the population) of all n numbers of the one picture; pixels are 0"
                " to 255"
            )
        return "(pixel / 255 - mean) / std for every channel; pixels are 0 to 255"

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The mean as a pixel, 0..255: what borders and cut-outs are filled with."""
        red, green, blue = (min(255, max(0, round(255 * value))) for value in self.mean)
        return red, green, blue

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See ``formula``: uint8 ``[N, H, W, 3]`` to float32 ``[N, 3, H, W]``."""
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))  # fastest while still bytes
        if self.per_picture:
            return standardised(planes)
        scaled = planes.astype(np.float32)
        scaled -= np.asarray([255 * value for value in self.mean], np.float32)[:, None, None]
        scaled *= np.asarray([1 / (255 * value) for value in self.std], np.float32)[:, None, None]
        return scaled


def standardised(planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Each picture less its mean, over its deviation: ``(x - m) / max(s, 1 / sqrt(n))``.

    ``x`` is ``pixel / 255``; mean and population deviation are over all ``n`` numbers of a picture,
    so nothing depends on the others of its batch. A picture of one value becomes 0.

    Args:
        planes: uint8 ``[N, 3, H, W]``.

    Source: the original AutoDL Design, which divides by ``max(s, sqrt(n))``, a slip: about 55 for
    every picture of CIFAR.
    """
    scaled = planes.astype(np.float32)
    scaled /= 255
    rows = scaled.reshape(len(planes), -1)
    rows -= rows.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    least = rows.shape[1] ** -0.5
    rows /= np.maximum(rows.std(axis=1, dtype=np.float64, keepdims=True), least).astype(np.float32)
    return scaled


def batch_count(pictures: int, batch_size: int, drop_last: bool = False) -> int:
    """How many batches ``iterate`` gives; at least 1 if there is a picture."""
    whole, rest = divmod(pictures, batch_size)
    return whole + bool(rest and not (drop_last and whole))


def iterate(
    pictures: Pictures,
    batch_size: int,
    *,
    normalisation: Normalisation,
    rng: np.random.Generator | None = None,
    augment: Augment | None = None,
    drop_last: bool = False,
) -> Iterator[Batch]:
    """Go through ``pictures`` once, in batches.

    Args:
        pictures: what to go through.
        batch_size: pictures per batch; the last one may be smaller.
        normalisation: of the training part.
        rng: shuffles the pictures and drives ``augment``; make one per epoch, such as
            ``default_rng((seed, epoch))``. Without it the order is that of ``pictures``.
        augment: applied to the bytes before they are normalised; needs ``rng``.
        drop_last: leave out a smaller last batch (batch normalisation cannot train on a
            single picture), unless it is the only one.

    Yields:
        float32 ``[B, 3, H, W]`` and int64 ``[B]``, both new arrays.

    Raises:
        ValueError: ``batch_size`` is below 1, or ``augment`` is given without ``rng``.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, got {batch_size}")
    if augment is not None and rng is None:
        raise ValueError("augmentation needs a generator: pass rng")
    return _iterate(pictures, batch_size, normalisation, rng, augment, drop_last)


def _iterate(
    pictures: Pictures,
    batch_size: int,
    normalisation: Normalisation,
    rng: np.random.Generator | None,
    augment: Augment | None,
    drop_last: bool,
) -> Iterator[Batch]:
    count = len(pictures)
    order = np.arange(count) if rng is None else rng.permutation(count)
    for number in range(batch_count(count, batch_size, drop_last)):
        positions = order[number * batch_size : (number + 1) * batch_size]
        images = pictures.images[positions]
        if augment is not None and rng is not None:
            images = augment(images, positions, rng)
        yield normalisation.normalise(images), pictures.labels[positions]
