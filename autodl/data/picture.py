"""One picture file, or one opened picture, as RGB pixels."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from autodl.data.names import shown
from autodl.errors import DataError

# what Pillow reads by itself; not EPS and the like, for which it would start other programs
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA"),
    *("TIFF", "WEBP"),
)
SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"}
    | {".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp"}
)
# pictures that are not read, so that leaving them out is worth a warning
UNREAD_SUFFIXES = frozenset(
    {".arw", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".heic", ".heif", ".ico", ".jxl", ".mpo"}
    | {".nef", ".orf", ".psd", ".raf", ".raw", ".rw2", ".svg", ".xcf"}
)
# why something in a folder is left out, after a count
NO_PICTURE = "that are no pictures"
IN_FOLDER = "in sub-folders"
DEAD_LINK = "links to nowhere"
NO_FILE = "that are no regular files"
OTHER_FORMAT = "in a format that is not read"

_LOG = logging.getLogger("autodl.data")
_WHITE = (255, 255, 255, 255)


@dataclass(frozen=True, slots=True)
class Found:
    """The pictures in a folder, and the count of what else is there by the reason to leave it."""

    pictures: tuple[Path, ...]
    left_out: Mapping[str, int]


def read_picture(file: Path, image_size: int | None) -> Image.Image:
    """A picture file as RGB, upright; cut to a square of ``image_size`` unless that is None.

    Raises:
        DataError: it is no picture, or damaged.
    """
    try:
        with Image.open(file, formats=FORMATS) as opened:
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
            f"cannot read the picture {shown(file)} ({reason}): remove or replace it"
        ) from error


def pictures_in(folder: Path) -> Found:
    """The pictures right in a folder by name, and how much of it is none, by reason.

    The one rule for what a picture in a folder is: a regular file (or a link to one) of a suffix
    in ``SUFFIXES`` whose name does not begin with a dot; "._1.png" is what macOS writes beside
    "1.png" on foreign disks.

    Raises:
        OSError: the folder cannot be read.
    """
    pictures: list[Path] = []
    left_out: Counter[str] = Counter()
    for entry in sorted(folder.iterdir()):
        suffix = entry.suffix.lower()
        if entry.name.startswith("."):
            left_out[NO_PICTURE] += 1
        elif entry.is_dir():
            deeper = sum(_may_be_picture(name) for _, _, names in os.walk(entry) for name in names)
            left_out[IN_FOLDER if deeper else NO_PICTURE] += deeper or 1
        elif not _may_be_picture(entry.name):
            left_out[NO_PICTURE] += 1
        elif entry.is_symlink() and not entry.exists():
            left_out[DEAD_LINK] += 1
        elif not entry.is_file():
            left_out[NO_FILE] += 1
        elif suffix in SUFFIXES:
            pictures.append(entry)
        else:
            left_out[OTHER_FORMAT] += 1
    return Found(tuple(pictures), dict(left_out))


def _may_be_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES | UNREAD_SUFFIXES


def told(left_out: Mapping[str, int]) -> str:
    """Counts by reason as words: ``40 in sub-folders, 8 links to nowhere``."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items())


def lost(left_out: Mapping[str, int]) -> dict[str, int]:
    """What of it is, or may be, a picture."""
    return {reason: count for reason, count in left_out.items() if reason != NO_PICTURE}


def picture_files(given: Sequence[Path]) -> list[Path]:
    """Files as they are, and of every folder the pictures right in it, by name.

    What may be a picture and is left out is told by a warning.

    Raises:
        DataError: a path is not there or cannot be read, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in given:
        try:
            if not path.exists():
                raise DataError(f"there is no {shown(path)}; give files or folders of pictures")
            if not path.is_dir():
                found.append(path)
                continue
            inside = pictures_in(path)
        except OSError as error:
            raise DataError(f"cannot read {shown(path)}: {error.strerror or error}") from None
        if missed := lost(inside.left_out):
            _LOG.warning("%s: left out %s", shown(path), told(missed))
        if not inside.pictures:
            raise DataError(f"{shown(path)} holds no picture ({', '.join(sorted(SUFFIXES))})")
        found += inside.pictures
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
