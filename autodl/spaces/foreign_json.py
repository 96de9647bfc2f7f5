"""Checks of JSON objects that somebody else wrote, with messages of one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autodl.errors import EncodingError


def check_version(value: Mapping[str, Any], kind: str, known: int) -> None:
    """Raise EncodingError unless the object's ``version`` is the whole number ``known``."""
    version = value.get("version")
    if version != known or not isinstance(version, int) or isinstance(version, bool):
        raise EncodingError(
            f"this release reads {kind} version {known}, got {short(version)};"
            " a newer release may have written it"
        )


def check_keys(value: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raise EncodingError unless the object has the known keys and no others."""
    if missing := sorted(known - set(value)):
        raise EncodingError(f"{what} has no {missing[0]!r}; it needs {', '.join(sorted(known))}")
    if surplus := sorted(set(value) - known):
        raise EncodingError(
            f"{what} has only the keys {', '.join(sorted(known))}, got {short(surplus[0])}"
        )


def short(value: object) -> str:
    """At most 60 characters of a foreign value, for a message of one line."""
    try:
        text = repr(value)
    except RecursionError:
        return "a deeply nested value"
    return " ".join(text.split())[:60]
