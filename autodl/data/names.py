"""Names of folders and files as text: in one normal form, and fit to be printed on one line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from autodl.errors import DataError
from autodl.system.yaml_text import is_text


def normal(name: str) -> str:
    """The name in Unicode's form NFC: macOS writes an accent as a character of its own."""
    return unicodedata.normalize("NFC", name)


def shown(path: Path | str) -> str:
    """The path as it is, or as Python would quote it where it has line breaks and the like."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def class_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The names of class folders in their normal form, in the order of ``folders``.

    Raises:
        DataError: a name is no UTF-8 text (of a foreign archive, mostly), so that no result could
            hold it, or two names are the same in normal form.
    """
    names: dict[str, Path] = {}
    for folder in folders:
        if not is_text(folder.name):
            raise DataError(
                f"the name of the class folder {folder.name!r} in {shown(folder.parent)} is no"
                " UTF-8 text: rename it"
            )
        name = normal(folder.name)
        if name in names:
            raise DataError(
                f"two class folders in {shown(folder.parent)} are called {name!r}, once with"
                " composed letters and once with accents of their own: merge them"
            )
        names[name] = folder
    return tuple(names)
