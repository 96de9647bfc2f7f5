"""Paths in a config: from the root on, and such as a run's files can name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from autodl.system.yaml_text import is_text


def absolute(path: Path) -> Path:
    """``path`` from the root on, ``~`` replaced: a run is read from other folders, too.

    Raises:
        ValueError: the path is no UTF-8 text (files cannot say it), holds a zero byte, or names a
            user who is not there.
    """
    if "\0" in str(path):
        raise ValueError("a path holds no zero byte")
    try:
        found = path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such user; write ./~... for a file of that name") from None
    if not is_text(str(found)):
        raise ValueError("the path is no UTF-8 text; rename the folder")
    return found


AbsolutePath: TypeAlias = Annotated[Path, AfterValidator(absolute)]
