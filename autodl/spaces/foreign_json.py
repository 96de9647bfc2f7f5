"""Checks of JSON objects that somebody else wrote, with messages of one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autodl.errors import EncodingError, did_you_mean


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


def read_names(
    value: Mapping[str, Any], kind: str, version: int, key: str, what: str
) -> tuple[str, ...]:
    """The names of an architecture that is nothing but a list of them, under ``key``.

    Raises:
        EncodingError: another version, a missing or surplus key, or no list.
    """
    check_version(value, kind, version)
    check_keys(value, {"kind", "version", key}, what)
    names = value[key]
    if not isinstance(names, list):
        raise EncodingError(f"{key} must be a list of names, got {short(names)}")
    return tuple(names)


def check_names(names: Sequence[str], known: Sequence[str], what: str) -> None:
    """Raise EncodingError unless all names are known, with what was likely meant."""
    for name in names:
        if name not in known:
            raise EncodingError(
                f"{what} is one of {', '.join(known)}; got {short(name)}."
                f"{did_you_mean(str(name), known)}"
            )


def short(value: object) -> str:
    """At most 60 characters of a foreign value, for a message of one line."""
    try:
        text = repr(value)
    except RecursionError:
        return "a deeply nested value"
    return " ".join(text.split())[:60]
