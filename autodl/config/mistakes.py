"""What pydantic finds wrong, told in a config's words: the key, what is allowed, what is there.

A key that may hold several kinds of values (a count or names) is tried as each of them, and
pydantic reports what was wrong with each. Here the kind that came closest speaks alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from autodl.errors import did_you_mean

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mistake:
    """``key`` is where it is; ``tried_at`` the key that several kinds were tried for, if any."""

    key: Key
    tried_at: Key | None
    found: Mapping[str, Any]

    @property
    def of_type(self) -> bool:
        """Whether the value is of another kind altogether, not out of range."""
        return str(self.found["type"]).endswith("_type")


def first_mistake(
    error: ValidationError, model: type[BaseModel], values: object, path: Sequence[str]
) -> tuple[Key, str]:
    """The first wrong key, as a path below ``path``, and one sentence about it.

    Args:
        values: what was checked, plain values by key.
        path: the section's own name, for the sentence.
    """
    mistakes = [_mistake(dict(found), values) for found in error.errors()]
    first = mistakes[0]
    wishes = [first]
    if first.tried_at is not None:
        tried = [mistake for mistake in mistakes if mistake.tried_at == first.tried_at]
        deepest = max(len(mistake.key) for mistake in tried)
        near = [mistake for mistake in tried if len(mistake.key) == deepest]
        in_kind = [mistake for mistake in near if not mistake.of_type]
        first = (in_kind or near)[0]
        wishes = [first] if in_kind else [m for m in near if m.key == first.key]
    return first.key, _reason(first, wishes, ".".join((*path, *first.key)), model)


def _mistake(found: Mapping[str, Any], values: object) -> _Mistake:
    """Tell the parts of ``loc`` that are keys from those that name a kind that was tried."""
    key: list[str] = []
    tried_at: Key | None = None
    here: Any = values
    for place, part in enumerate(found["loc"]):
        inside = (isinstance(here, Mapping) and part in here) or (
            isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)
        )
        if inside:
            here = here[part]
        elif not (found["type"] == "missing" and place == len(found["loc"]) - 1):
            tried_at = tried_at or tuple(key)
            continue
        key.append(str(part))
    return _Mistake(tuple(key), tried_at, found)


def _reason(first: _Mistake, wishes: Sequence[_Mistake], name: str, model: type[BaseModel]) -> str:
    kind, got = first.found["type"], first.found["input"]
    if kind == "extra_forbidden":
        known = list(model.model_fields)
        return f"unknown key {name}.{did_you_mean(first.key[-1], known)} Known: {', '.join(known)}."
    if kind == "missing":
        short = first.key[-1].isdecimal()  # an index, not a key
        return f"{name} is missing; " + ("the list is too short" if short else "it has no default")
    if kind == "value_error" and not first.key:
        return f"{name}.{first.found['ctx']['error']}"  # of the section; it names its keys itself
    messages = [str(mistake.found["msg"]) for mistake in wishes]
    wish = messages[0][0].lower() + messages[0][1:]
    for other in dict.fromkeys(messages[1:]):
        wish += f" or {other.removeprefix('Input should be ')}"
    bare = got is None or isinstance(got, bool | int | float)
    hint = "; quote it to make it a text" if kind == "string_type" and bare else ""
    return f"{name}: {wish}, got {got!r}{hint}"
