"""The architecture of a network that people designed: there is nothing to choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autodl.spaces.foreign_json import check_keys, check_version

JSON_VERSION = 1


@dataclass(frozen=True, slots=True)
class FixedArchitecture:
    """The one architecture of such a network; all about it stands in the section ``Network``."""

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object."""
        return {"kind": "fixed", "version": JSON_VERSION}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FixedArchitecture:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, or a missing or surplus key.
        """
        check_version(value, "fixed", JSON_VERSION)
        check_keys(value, {"kind", "version"}, "a fixed network")
        return cls()
