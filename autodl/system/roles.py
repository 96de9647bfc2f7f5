"""Roles: protocols whose ``isinstance`` looks at methods, not at names alone.

Python's own check is content with any attribute of a method's name, so a strategy with a number
called ``initial`` would be taken for one that prepares proposals, and fail when it is asked.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, Protocol

from autodl.errors import ConfigError

_ABSENT = object()
_MEMBERS: dict[type[object], dict[str, tuple[str, ...] | None]] = {}


if TYPE_CHECKING:  # mypy knows no type of Protocol
    from abc import ABCMeta as _ProtocolMeta
else:
    _ProtocolMeta = type(Protocol)


class _StrictMeta(_ProtocolMeta):
    """Checks instances by ``missing``."""

    def __instancecheck__(self, value: object) -> bool:
        return not missing(value, self)


class Role(Protocol, metaclass=_StrictMeta):
    """Base of protocols that ``isinstance`` checks strictly, methods with their parameters.

    Derive as ``@runtime_checkable class Walker(Role, Protocol)``.
    """


def missing(value: object, role: type[object]) -> list[str]:
    """What a value lacks to play a role, as one would write it: ``ask(rng)``, ``batch_size``.

    A method counts if it can be called with the role's parameters, whatever their names.

    Args:
        role: a protocol; its public names and ``__call__`` are what it asks for.
    """
    return [
        name if parameters is None else f"{name}({', '.join(parameters)})"
        for name, parameters in _members(role).items()
        if not _has(value, name, parameters)
    ]


def require(value: object, role: type[object], who: str) -> None:
    """Raise unless a value plays a role.

    Args:
        who: what needs it and for what; the message goes on with what is missing.

    Raises:
        ConfigError: something is missing.
    """
    if lacks := missing(value, role):
        raise ConfigError(f"{who}, and {type(value).__name__} lacks {', '.join(lacks)}")


def _members(role: type[object]) -> Mapping[str, tuple[str, ...] | None]:
    """Names that a protocol asks for, methods with the names of their positional parameters."""
    if role in _MEMBERS:
        return _MEMBERS[role]
    found = dict[str, tuple[str, ...] | None]()
    for part in reversed(role.__mro__):
        if not getattr(part, "_is_protocol", False) or part in (Protocol, Generic, Role):
            continue
        for name in (*vars(part).get("__annotations__", ()), *vars(part)):
            if name.startswith("_") and name != "__call__":
                continue
            member = vars(part).get(name)
            found[name] = _positional(member) if inspect.isfunction(member) else None
    _MEMBERS[role] = found
    return found


def _positional(method: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the parameters that have to be given by place, without ``self``."""
    own = list(inspect.signature(method).parameters.values())[1:]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in own if one.kind in by_place and one.default is one.empty]
    return tuple(one.name for one in needed)


def _has(value: object, name: str, parameters: tuple[str, ...] | None) -> bool:
    if name == "__call__":
        return callable(value) and _takes(value, len(parameters or ()))
    found = getattr(value, name, _ABSENT)
    if parameters is None or found is _ABSENT:
        return found is not _ABSENT
    if isinstance(found, MethodType):  # its function lives as long as the class
        return _function_takes(found.__func__, 1 + len(parameters))
    return callable(found) and _takes(found, len(parameters))


def _takes(called: Callable[..., Any], count: int) -> bool:
    """Whether something can be called with so many positional arguments."""
    try:
        signature = inspect.signature(called)
    except (ValueError, TypeError):  # written in C without one
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


_function_takes = lru_cache(maxsize=1024)(_takes)
