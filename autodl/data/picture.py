"""One picture file, or one opened picture, as RGB pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from autodl.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm"})

_WHITE = (255, 255, 255, 255)


def read_picture(file: Path, image_size: int | None) -> Image.Image:
    """A picture file as RGB, upright; cut to a square of ``image_size`` unless that is None.

    Raises:
        DataError: it is no picture, or damaged.
    """
    try:
        with Image.open(file) as opened:
            if image_size is not None:
                # lets the JPEG decoder skip detail that is scaled away anyway
                opened.draft(None, (2 * image_size, 2 * image_size))
            upright = ImageOps.exif_transpose(opened)
            picture = to_rgb(upright)
        if image_size is None:
            return picture
        return square(picture, image_size)
    except Exception as error:  # a damaged file makes decoders raise nearly every builtin error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"cannot read the picture {file} ({reason}): remove or replace it"
        ) from error


def picture_files(given: Sequence[Path]) -> list[Path]:
    """Files as they are, and of every folder the pictures right in it, by name.

    Raises:
        DataError: a path is not there, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in given:
        if not path.exists():
            raise DataError(f"there is no {path}; give files or folders of pictures")
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES)
            if not inside:
                raise DataError(f"{path} holds no picture ({', '.join(sorted(SUFFIXES))})")
            found += inside
        else:
            found.append(path)
    return found


def square(picture: Image.Image, side: int) -> Image.Image:
    """The largest square at the centre, resized to ``side`` x ``side`` pixels."""
    return ImageOps.fit(picture, (side, side), Image.Resampling.BILINEAR)


def to_rgb(picture: Image.Image) -> Image.Image:
    """Grey and palette pictures become RGB, transparent ones lie on white.

    Raises:
        ValueError: of floating-point numbers, whose white nobody knows.
    """
    if picture.mode == "F":
        raise ValueError("mode F has numbers without a range; convert it to 8 bits")
    if picture.mode.startswith("I"):
        # 16 bits per pixel; Pillow's own conversion would clip at 255 instead of scaling
        deep = np.asarray(picture).astype(np.int64)
        if picture.mode != "I" or deep.max(initial=0) > 255:  # mode I may hold either
            deep >>= 8
        picture = Image.fromarray(deep.clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return picture.convert("RGB")
