"""Whether an architecture is of a space, and the codes of its values: what spaces' files share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.rows import check_row
from autodl.spaces.space import Integers

Kind = TypeVar("Kind")


def of_kind(architecture: object, kind: type[Kind], plural: str) -> Kind:
    """The architecture, if it is of this class.

    Args:
        architecture: of whatever class.
        kind: the class of the space's architectures.
        plural: what the space holds, for the message.

    Raises:
        ConfigError: it is of another class.
    """
    if not isinstance(architecture, kind):
        raise ConfigError(f"this space holds {plural}, got a {type(architecture).__name__}")
    return architecture


def check_used(used: Iterable[object], choices: Sequence[object], user: str) -> None:
    """Refuse values that a space leaves out.

    Args:
        used: values of an architecture.
        choices: what the space chooses from.
        user: what uses them, for the message: "the chain uses".

    Raises:
        ConfigError: one of them is no choice; the first such is named.
    """
    for value in used:
        if value not in choices:
            raise ConfigError(
                f"{user} {value!r}, which this space leaves out; it chooses from"
                f" {', '.join(map(str, choices))}"
            )


def values_of(row: Integers, alternatives: Sequence[Sequence[Any]]) -> list[Any]:
    """The values that a row stands for, one of each ``alternatives``.

    Raises:
        EncodingError: another number of codes, no integers, or one that is out of range.
    """
    codes = check_row(row, tuple(map(len, alternatives))).tolist()
    return [some[code] for some, code in zip(alternatives, codes, strict=True)]


def codes_of(values: Sequence[Any], alternatives: Sequence[Sequence[Any]]) -> Integers:
    """The row of values that are each one of its ``alternatives``: the inverse of ``values_of``.

    Raises:
        ValueError: one is not.
    """
    row = [some.index(value) for some, value in zip(alternatives, values, strict=True)]
    return np.array(row, np.int64)
