"""Tar archives of strangers, read in one pass and in memory: nothing is ever unpacked to disk."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from autodl.errors import DataError

Parts: TypeAlias = tuple[str, ...]  # of a file's path in the archive
_GZIP = b"\x1f\x8b"


def archived_files(
    path: Path, wanted: Callable[[Parts], bool], *, largest: int, mend: str
) -> Iterator[tuple[Parts, bytes]]:
    """The wanted files of a ``.tar`` or ``.tar.gz``, which is read to its very end.

    Args:
        wanted: whether a file is to be read; all of them are checked.
        largest: bytes that a file may have.
        mend: what to do about a damaged or foreign archive, for messages.

    Raises:
        DataError: it is damaged or truncated, or holds a link, a device, a path that leads out of
            it, or a file that is too large.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(_GZIP)) == _GZIP
            plain.seek(0)
            # gzip beneath tarfile, because tarfile's own "r|gz" does not check the sum at the end
            with (
                gzip.open(plain) if packed else plain as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                for member in archive:
                    parts = _safe_parts(member, path, largest, mend)
                    if member.isreg() and wanted(parts):
                        yield parts, _content(archive, member)
                while stream.read(2**20):
                    pass  # to the end, where gzip compares its sum
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(_broken(path, error, mend)) from error
    except OSError as error:  # gzip says "not a gzipped file" and "CRC check failed" so
        if error.errno is not None:
            raise
        raise DataError(_broken(path, error, mend)) from error


def _safe_parts(member: tarfile.TarInfo, path: Path, largest: int, mend: str) -> Parts:
    """The parts of a member's name; nothing is unpacked, yet a hostile archive is refused."""
    name = PurePosixPath(member.name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or any(":" in part for part in name.parts[:1]):
        problem = "a path that leads out of it"
    elif member.issym() or member.islnk():
        problem = "a link"
    elif not (member.isreg() or member.isdir()):
        problem = "a device or pipe"
    elif member.size > largest:
        problem = f"a file of {member.size:,} bytes"
    else:
        return name.parts
    raise DataError(f"{path} holds {problem}: {member.name!r}; nothing was unpacked. {mend}")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    source = archive.extractfile(member)
    content = source.read() if source is not None else b""
    if len(content) != member.size:
        raise EOFError(f"{member.name} ends early")
    return content


def _broken(path: Path, error: Exception, mend: str) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{path} is truncated or no .tar.gz or .tar ({reason}). {mend}"
