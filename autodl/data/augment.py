"""Augmentation of whole batches, without a Python loop over pictures.

All functions take and give ``[N, H, W, C]`` arrays, uint8 or float32, and leave their input
alone. Rows of pixels are contiguous in this layout, so a crop is one gather of row-long
items and a cut-out one scatter of them: windows are strided views whose items are whole
rows. Augment uint8 first and normalise last: a quarter of the bytes move.

Borders and cut-outs take ``fill``, one value or one per channel. Give the mean colour
(``Normalisation.mean_colour``), which becomes 0 once normalised; ``REFLECTED`` borders continue
the picture instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Images = NDArray[Any]
Fill = float | Sequence[float]
Border = Literal["mean", "black", "reflected"]
REFLECTED: Border = "reflected"
FlipRule = Literal["none", "random", "alternating"]

Augment = Callable[[NDArray[np.uint8], NDArray[np.int64], np.random.Generator], NDArray[np.uint8]]
"""(pictures, their positions in the training set, generator) -> pictures of the same shape."""


class Mixed(NamedTuple):
    """A mixed batch; its loss is ``weight * loss(labels) + (1 - weight) * loss(partners)``."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    partners: NDArray[np.int64]
    weight: float


def pad_crop(
    images: Images,
    rng: np.random.Generator,
    padding: int,
    fill: Fill | Literal["reflected"] = 0.0,
) -> Images:
    """Shift every picture by up to ``padding`` pixels each way, uniformly; ``fill`` comes in.

    What comes in may be the picture itself, ``REFLECTED`` about its outermost pixels.

    Raises:
        ValueError: ``padding`` is negative, or the picture has too few pixels to reflect.
    """
    if padding < 0:
        raise ValueError(f"padding must be at least 0, got {padding}")
    if padding == 0 or not len(images):
        return images.copy()
    count, height, width, channels = images.shape
    top, left = rng.integers(2 * padding + 1, size=(2, count))
    framed = _reflect(images, padding) if isinstance(fill, str) else _frame(images, padding, fill)
    rows = _row_windows(framed, (height, width), channels)
    return _pixels(rows[np.arange(count), top, left], images)


def flip(images: Images, rng: np.random.Generator) -> Images:
    """Mirror each picture left to right with probability 1/2."""
    return _mirror(images, rng.random(len(images)) < 0.5)


def alternating_flip(
    images: Images, positions: NDArray[np.int64], epoch: int, seed: int = 0
) -> Images:
    """Mirror each picture in every second epoch (Jordan, 2024, arXiv:2404.00498).

    A coin fixed by (seed, position) says which picture starts mirrored, so any two epochs
    in a row show both sides of every picture. No generator: the same call gives the same.

    Args:
        images: ``[N, H, W, C]``.
        positions: int64 ``[N]``, where each picture stands in the training set.
        epoch: counted from 0.
        seed: of the coins.
    """
    return _mirror(images, _coins(positions, seed) ^ (epoch % 2 == 1))


def flip_vertically(images: Images, rng: np.random.Generator) -> Images:
    """Turn each picture upside down with probability 1/2."""
    chosen = rng.random(len(images)) < 0.5
    flipped = images.copy()
    flipped[chosen] = flipped[chosen, ::-1]
    return flipped


def change_brightness(images: Images, rng: np.random.Generator, most: float) -> Images:
    """Multiply each picture by a factor from U(1 - most, 1 + most); bytes are rounded and clipped.

    Raises:
        ValueError: ``most`` is not in [0, 1).
    """
    if not 0 <= most < 1:
        raise ValueError(f"brightness must be at least 0 and below 1, got {most}")
    factors = rng.uniform(1 - most, 1 + most, size=(len(images), 1, 1, 1)).astype(np.float32)
    changed = images * factors
    if images.dtype == np.uint8:
        changed = np.rint(changed).clip(0, 255)
    return changed.astype(images.dtype)


def cutout(images: Images, rng: np.random.Generator, size: int, fill: Fill = 0.0) -> Images:
    """Blank one ``size`` x ``size`` square per picture (DeVries and Taylor, arXiv:1708.04552).

    Its centre is uniform over the pixels, so part of the square may lie outside; an even
    square reaches one pixel further up and left than down and right.

    Raises:
        ValueError: ``size`` is negative.
    """
    if size < 0:
        raise ValueError(f"the cut-out's size must be at least 0, got {size}")
    if size == 0 or not len(images):
        return images.copy()
    count, height, width, channels = images.shape
    centre_y, centre_x = rng.integers(height, size=count), rng.integers(width, size=count)
    margin = size // 2
    framed = _frame(images, margin, fill)
    rows = _row_windows(framed, (size, size), channels)
    blank = np.tile(_pixel(fill, images), size).view(rows.dtype)[0]
    rows[np.arange(count), centre_y, centre_x] = blank
    inner = framed.reshape(count, height + 2 * margin, width + 2 * margin, channels)
    end_y, end_x = margin + height, margin + width
    return np.ascontiguousarray(inner[:, margin:end_y, margin:end_x])


def mixup(
    images: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator, alpha: float
) -> Mixed:
    """Blend every picture with another of its batch (Zhang et al., arXiv:1710.09412).

    One weight per batch, from Beta(alpha, alpha), as in the authors' code. Use it on
    normalised pictures: the layout of ``images`` beyond its first axis does not matter.

    Args:
        images: float32 ``[N, ...]``.
        labels: int64 ``[N]``.
        rng: draws the weight and the partners.
        alpha: 0 leaves the batch as it is (weight 1).

    Raises:
        ValueError: ``alpha`` is negative or not finite.
    """
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"mixup's alpha must be at least 0 and finite, got {alpha}")
    if alpha == 0:
        return Mixed(images.copy(), labels, labels, 1.0)
    weight = float(rng.beta(alpha, alpha))
    partner = rng.permutation(len(images))
    mixed = images[partner]
    mixed -= images
    mixed *= np.float32(1.0 - weight)
    mixed += images
    return Mixed(mixed, labels, labels[partner], weight)


def augmenter(
    *,
    padding: int = 4,
    border: Border = "mean",
    flip_rule: FlipRule = "random",
    vertical: bool = False,
    brightness: float = 0.0,
    cutout_size: int = 0,
    fill: Fill,
    epoch: int = 0,
    seed: int = 0,
) -> Augment:
    """The usual chain for one epoch: pad and crop, flip, change the brightness, cut out.

    Args:
        padding: see ``pad_crop``; 0 for none.
        border: what comes in then: ``fill``, black, or the reflected picture.
        flip_rule: "none", "random" or "alternating".
        vertical: see ``flip_vertically``.
        brightness: see ``change_brightness``; 0 for none.
        cutout_size: see ``cutout``; 0 for none.
        fill: the colour of borders and cut-outs, normally ``Normalisation.mean_colour``.
        epoch: of the alternating flip.
        seed: of the alternating flip.
    """

    incoming: dict[Border, Any] = {"mean": fill, "black": 0.0, "reflected": REFLECTED}

    def augment(
        images: NDArray[np.uint8], positions: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        if padding:
            images = pad_crop(images, rng, padding, incoming[border])
        if flip_rule == "random":
            images = flip(images, rng)
        elif flip_rule == "alternating":
            images = alternating_flip(images, positions, epoch, seed)
        if vertical:
            images = flip_vertically(images, rng)
        if brightness:
            images = change_brightness(images, rng, brightness)
        if cutout_size:
            images = cutout(images, rng, cutout_size, fill)
        return images

    return augment


def _pixel(fill: Fill, images: Images) -> Images:
    """One pixel of colour ``fill`` in the type of ``images``, ``[C]``."""
    colour = np.asarray(fill, dtype=np.float64)
    if images.dtype == np.uint8:
        colour = np.rint(colour).clip(0, 255)
    return np.broadcast_to(colour, images.shape[3]).astype(images.dtype)


def _frame(images: Images, margin: int, fill: Fill) -> Images:
    """Copies with a border: ``[N, H + 2 * margin, (W + 2 * margin) * C]``."""
    count, height, width, channels = images.shape
    wide = width + 2 * margin
    framed = np.empty((count, height + 2 * margin, wide * channels), images.dtype)
    border = np.tile(_pixel(fill, images), wide)
    inner = slice(margin * channels, (margin + width) * channels)
    framed[:, :margin] = border
    framed[:, margin + height :] = border
    framed[:, margin : margin + height, : inner.start] = border[: inner.start]
    framed[:, margin : margin + height, inner.stop :] = border[inner.stop :]
    framed[:, margin : margin + height, inner] = images.reshape(count, height, width * channels)
    return framed


def _reflect(images: Images, margin: int) -> Images:
    """Copies with a border that continues the picture: the shape that ``_frame`` gives."""
    count, height, width, channels = images.shape
    if margin >= min(height, width):
        raise ValueError(f"cannot reflect {margin} pixels of a picture of {height}x{width}")
    wide = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    return wide.reshape(count, height + 2 * margin, (width + 2 * margin) * channels)


def _row_windows(framed: Images, window: tuple[int, int], channels: int) -> Images:
    """Every ``window`` of every picture: view ``[N, tops, lefts, rows]`` of row-long items."""
    count, height, wide = framed.shape
    pixel = channels * framed.itemsize
    rows, columns = window
    return np.ndarray(
        (count, height - rows + 1, wide // channels - columns + 1, rows),
        f"V{columns * pixel}",
        framed,
        0,
        (framed.strides[0], framed.strides[1], pixel, framed.strides[1]),
    )


def _pixels(rows: Images, like: Images) -> Images:
    return rows.view(like.dtype).reshape(like.shape)


def _mirror(images: Images, chosen: NDArray[np.bool_]) -> Images:
    count, height, width, channels = images.shape
    mirrored = np.arange(width * channels).reshape(width, channels)[::-1].reshape(-1)
    flipped = images.copy()
    rows = flipped.reshape(count, height, width * channels)
    rows[chosen] = np.take(rows[chosen], mirrored, axis=2)
    return flipped


def _coins(positions: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """A fair coin for each position: the top bit of SplitMix64 (Steele et al., 2014)."""
    state = positions.astype(np.uint64) + np.uint64(1)
    state *= np.uint64(0x9E3779B97F4A7C15)
    state ^= np.uint64(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    return (state >> np.uint64(63)).astype(np.bool_)
