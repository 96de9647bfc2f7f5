"""What people give to a network, as one array of pictures of its size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import IOBase
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from autodl.data.picture import read_picture, square, to_rgb
from autodl.errors import DataError

Given: TypeAlias = "NDArray[Any] | Image.Image | Path | str | Sequence[Given]"

_ENCODED: tuple[type, ...] = (bytes, IOBase)  # iterable, though no sequences of pictures


def as_pictures(given: Given, side: int) -> NDArray[np.uint8]:
    """Pictures as a network sees them: uint8 ``[N, side, side, 3]``, red, green, blue.

    Args:
        given: uint8 ``[N, H, W, 3]`` or one ``[H, W, 3]``; with one channel, or with two or four,
            of which the last is opacity; grey ``[N, H, W]`` or ``[H, W]``; a file; a
            ``PIL.Image``; or a sequence of these. Three numbers ``[a, b, c]`` are one picture if
            ``c`` is 1 to 4. Of other sizes the square at the centre is resized; grey and
            transparent pictures are converted, the latter on white.

    Raises:
        DataError: no picture at all, another type or shape, or an unreadable file, which is named.
    """
    if isinstance(given, np.ndarray):
        return _of_array(given, side)
    if isinstance(given, str | Path | Image.Image):
        return np.asarray(_opened(given, side))[None]
    if not isinstance(given, Iterable) or isinstance(given, _ENCODED):
        raise DataError(
            "pictures are uint8 arrays [N, H, W, 3], files, PIL images, or a sequence of these, got"
            f" {type(given).__name__}"
        )
    parts = [as_pictures(one, side) for one in given]
    if not parts:
        raise DataError("there is no picture: the sequence is empty")
    return np.concatenate(parts)


def _of_array(array: NDArray[Any], side: int) -> NDArray[np.uint8]:
    if array.dtype != np.uint8:
        raise DataError(
            f"pictures are uint8 numbers from 0 to 255, got {array.dtype}; scale and convert them"
            " by (255 * pictures).round().astype('uint8') if they lie in 0..1"
        )
    stack = _stack(array)
    if not stack.size:
        raise DataError(f"there is no picture in an array of shape {list(array.shape)}")
    if stack.shape[1:] == (side, side, 3):
        return stack
    squared = np.empty((len(stack), side, side, 3), np.uint8)
    for number, picture in enumerate(stack):  # Pillow takes them one by one
        image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
        squared[number] = np.asarray(square(to_rgb(image), side))
    return squared


def _stack(array: NDArray[Any]) -> NDArray[np.uint8]:
    """``[N, H, W, C]`` with 1 to 4 channels."""
    if array.ndim == 2:
        return array[None, :, :, None]
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] not in (1, 2, 3, 4):
        raise DataError(
            f"an array {list(array.shape)} is one picture with its channels in front, or three grey"
            " ones: give pictures.transpose(1, 2, 0) or pictures[..., None]"
        )
    if array.ndim == 3:
        return array[None] if array.shape[2] in (1, 2, 3, 4) else array[..., None]
    if array.ndim == 4 and array.shape[3] in (1, 2, 3, 4):
        return array
    hint = "; move the channels behind: pictures.transpose(0, 2, 3, 1)" if array.ndim == 4 else ""
    raise DataError(f"pictures have the shape [N, H, W, 3], got {list(array.shape)}{hint}")


def _opened(given: str | Path | Image.Image, side: int) -> Image.Image:
    if not isinstance(given, Image.Image):
        return read_picture(Path(given), side)
    try:  # Pillow decodes late
        return square(to_rgb(ImageOps.exif_transpose(given)), side)
    except Exception as error:  # a damaged one makes decoders raise nearly every builtin error
        raise DataError(
            f"cannot read a PIL image of {given.width}x{given.height} pixels and mode {given.mode}"
            f" ({' '.join(str(error).split())}): replace it"
        ) from error
