"""Every exception that the project raises on purpose, and the lookup that helps with names.

The tools catch ``AutoDLError``, print its one line and exit with code 2. The classes are
also the builtin errors that a caller would expect, so library users may catch either.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class AutoDLError(Exception):
    """Something outside the program is wrong, and the message says how to mend it."""


class ConfigError(AutoDLError, ValueError):
    """A configuration file or an override holds an unknown key or an unusable value."""


class DataError(AutoDLError, ValueError):
    """A data set is missing, damaged or of the wrong shape."""


class EncodingError(AutoDLError, ValueError):
    """A stored or tokenised architecture cannot be decoded."""


class StoreError(AutoDLError, RuntimeError):
    """A run folder belongs to another run, is in use, or cannot be read or written."""


class CheckpointError(AutoDLError, RuntimeError):
    """Saved weights are damaged or belong to another network."""


class DeviceError(AutoDLError, RuntimeError):
    """The device that was asked for is not there."""


class PluginError(AutoDLError, ImportError):
    """A module named in ``Global.plugins`` cannot be imported, or brings what does not fit."""


class MissingPackageError(AutoDLError, ImportError):
    """A package that the installer leaves to the user is absent."""


class UnknownNameError(AutoDLError, KeyError):
    """A name is in no table."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """Return ``table[name]``; if it is missing, say what is there and what was likely meant.

    Raises:
        UnknownNameError: ``name`` is not in ``table``.
    """
    if name in table:
        return table[name]
    raise UnknownNameError(
        f"unknown {kind} {name!r}.{did_you_mean(name, table)} Known: {', '.join(sorted(table))}."
    )
