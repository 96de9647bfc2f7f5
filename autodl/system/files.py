"""Files that are there whole or not at all: write aside, flush to disk, rename."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autodl.errors import StoreError

_ASIDE = re.compile(  # what is written aside is called so; SQLite keeps files beside its own
    r"\.(?P<name>.+)\.[0-9a-f]{8}(?P<suffix>\.[^.]*?)?(-wal|-shm|-journal)?"
)
_REPLACED = ".replaced"  # of a folder aside: the folders that its own take the place of


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there when the block succeeds.

    The folder is made if missing. If the block raises, ``path`` keeps its old content and
    the temporary file is removed.

    Raises:
        StoreError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    aside = None
    try:
        with _refusing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            name = f".{path.name}.{secrets.token_hex(4)}{path.suffix}"
            # not mkstemp, whose files are for their owner alone whatever the umask
            os.close(os.open(path.with_name(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            aside = path.with_name(name)
            yield aside
            with open(aside, "rb+") as written:
                os.fsync(written.fileno())
            os.replace(aside, path)
            aside = None
            _sync_folder(path.parent)
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing to a file or folder into one error."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error};"
            " free some space or choose another folder"
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what a kill has left of files that were being written in a folder and below.

    Nobody else may be writing there.
    """
    for path in folder.rglob(".*.*"):
        found = _ASIDE.fullmatch(path.name)
        if found and Path(found["name"]).suffix == (found["suffix"] or "") and path.is_file():
            path.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path``, whole or not at all.

    Names of files that are no UTF-8 text (Python holds their bytes as halves of surrogate pairs)
    are written as escapes, which are also JSON's own.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as aside:
        aside.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON to ``path``, whole or not at all; all text comes back."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Indented JSON, as ``write_json`` writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # other systems cannot open a folder; their rename is durable enough
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_writable(path: Path, why: str) -> None:
    """Refuse a place where nothing can be written, before any work is done.

    Args:
        path: a file or folder to make or to write to; what is missing above it can be made.
        why: it is written to, for people.

    Raises:
        StoreError: it cannot be written.
    """
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    reason = "" if os.access(place, os.W_OK) else "it may not be written"
    if place != path.absolute() and not place.is_dir():
        reason = f"{place} is a file"
    if reason:
        raise StoreError(f"cannot write to {path}: {reason}, and {why}; choose another place")


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something or cannot be made, before any work is done.

    Raises:
        StoreError: it does, is no folder, or could not be written.
    """
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise StoreError(f"cannot read {folder}: {error.strerror}; choose another --out") from None
    if taken:
        raise StoreError(f"{folder} is there and not an empty folder; choose another --out")
    check_writable(folder, "the results go there")


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its place when the block succeeds, and else goes.

    ``folder`` may be there if it is empty. What a kill has left of an earlier one goes as well.

    Raises:
        StoreError: it cannot be written, or holds something.
    """
    folder = folder.absolute()
    with _refusing(folder), _aside(folder) as aside:
        yield aside
        for path in aside.iterdir():
            with open(path, "rb+") as written:
                os.fsync(written.fileno())
        aside.rename(folder)  # also over an empty folder


@contextmanager
def replacing_content(folder: Path) -> Iterator[Path]:
    """An empty folder in ``folder``, whose content is moved up there when the block succeeds.

    Files and folders take the place of their namesakes; all others stay. If the block raises,
    ``folder`` keeps what it has. Nothing is lost at any moment: a folder whose namesake has not
    taken its place yet is put back, after a kill by the next call.

    Raises:
        StoreError: it cannot be written.
    """
    with _refusing(folder), _aside(folder / "new") as aside:
        yield aside
        for path in list(aside.iterdir()):
            if (place := folder / path.name).is_dir():  # which no rename replaces
                (aside / _REPLACED).mkdir(exist_ok=True)
                place.rename(aside / _REPLACED / path.name)
            path.rename(place)
        _sync_folder(folder)


@contextmanager
def _aside(goal: Path) -> Iterator[Path]:
    """A new folder beside ``goal``, called after it, that goes with the block.

    What a kill has left of an earlier one goes as well, see ``_discard``.
    """
    aside = goal.with_name(f".{goal.name}.{secrets.token_hex(4)}")
    aside.mkdir(parents=True)
    with _held(aside):
        try:
            _discard_abandoned(goal)
            yield aside
        finally:
            _discard(aside)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a lock on a folder, so that others see that somebody is at it; whether it is held."""
    if os.name != "posix":
        yield False  # other systems cannot open a folder
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held by another process, or no locks on this file system
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _discard_abandoned(goal: Path) -> None:
    """Discard the folders aside of ``goal`` that no process holds."""
    for path in goal.parent.glob(f".{glob.escape(goal.name)}.????????"):
        if _ASIDE.fullmatch(path.name) and path.is_dir():
            with _held(path) as abandoned:
                if abandoned:
                    _discard(path)


def _discard(aside: Path) -> None:
    """Remove a folder aside, but put back what it has of others whose place is free."""
    for path in (aside / _REPLACED).glob("*"):
        if not (place := aside.parent / path.name).exists():
            path.rename(place)
    shutil.rmtree(aside, ignore_errors=True)
