"""Whole batches of pictures brought to another size, and the size of each epoch."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def resize_matrix(source: int, target: int) -> NDArray[np.float32]:
    """Weights ``[target, source]`` of linear interpolation, which averages when it shrinks.

    The triangle filter of Pillow's BILINEAR: centred on each target pixel, as wide as one source
    pixel to each side or, when shrinking, as one target pixel. Rows sum to 1.

    Raises:
        ValueError: a size below 1.
    """
    if min(source, target) < 1:
        raise ValueError(f"sizes are at least 1, got {source} to {target}")
    scale = source / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None]) / reach
    weights = np.maximum(1.0 - distance, 0.0)
    matrix: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def resize_batch(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Float32 ``[B, C, H, W]`` to ``[B, C, side, side]``; the same array if it is so already."""
    height, width = images.shape[2:]
    if (height, width) == (side, side):
        return images
    rows = np.matmul(resize_matrix(height, side), images)
    resized: NDArray[np.float32] = np.matmul(rows, resize_matrix(width, side).T)
    return resized


def picture_side(
    epoch: int, epochs: int, full: int, first: int | None, grown: float, grown_by: int = 4
) -> int:
    """Side of the pictures in an epoch, which grows by ``grown_by`` pixels at a time.

    The last epoch has the full size, so that a network ends with what it is measured on.

    Args:
        epoch: counted from 0.
        first: None is ``full``, always.
        grown: share of the epochs, above 0, after which the pictures have their full size.

    Source: progressive resizing (Howard, DAWNBench 2018).
    """
    if first is None or first >= full or epoch >= epochs - 1:
        return full
    sizes = [*range(first, full, grown_by), full]
    passed = int(epoch / (grown * epochs) * (len(sizes) - 1))
    side: int = sizes[min(passed, len(sizes) - 1)]
    return side
