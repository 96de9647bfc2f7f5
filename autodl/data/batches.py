"""Normalised batches from pictures: uint8 ``[N, H, W, 3]`` in, float32 ``[B, 3, H, W]`` out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

    Raises:
        DataError: not three finite numbers each, or a deviation that is not positive.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

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

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The mean as a pixel, 0..255: what borders and cut-outs are filled with."""
        red, green, blue = (min(255, max(0, round(255 * value))) for value in self.mean)
        return red, green, blue

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """``(pixel / 255 - mean) / std``: uint8 ``[N, H, W, 3]`` to float32 ``[N, 3, H, W]``."""
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))  # fastest while still bytes
        scaled = planes.astype(np.float32)
        scaled -= np.asarray([255 * value for value in self.mean], np.float32)[:, None, None]
        scaled *= np.asarray([1 / (255 * value) for value in self.std], np.float32)[:, None, None]
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
