"""Tables of measured times as files: JSON with a format, a version, and values that are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from autodl.errors import DataError

VERSION = 1  # of all formats


class TableValue(BaseModel):
    """A part of a table: nothing unknown in it, nothing converted, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Table = TypeVar("Table", bound=TableValue)


def read_table(path: Path, kind: type[Table], name: str, again: str) -> Table:
    """Read a table.

    Args:
        path: of the file.
        kind: the class of the table.
        name: what people call it; its ``format`` is ``"autodl " + name``.
        again: the command that makes one, for messages.

    Raises:
        DataError: the file is missing or damaged, is no such table, or is one of another version.
    """
    measure = f"; measure one: {again}"
    try:
        text = Path(path).read_text(encoding="utf-8")
        head = json.loads(text)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"cannot read the {name} {path}: {reason}{measure}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise DataError(f"the {name} {path} is damaged: {error}{measure}") from None
    if not isinstance(head, dict) or head.get("format") != f"autodl {name}":
        raise DataError(f"{path} is no {name}: its 'format' is not 'autodl {name}'{measure}")
    if str(head.get("version")) != str(VERSION):
        raise DataError(
            f"the {name} {path} has version {str(head.get('version'))[:20]}, this program reads"
            f" version {VERSION}{measure}"
        )
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"the {name} {path} is damaged: {where}: {first['msg']},"
            f" got {repr(first['input'])[:60]}{measure}"
        ) from None
