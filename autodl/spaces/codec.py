"""Architectures to and from versioned JSON files, whatever their space."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from autodl.config.plugins import note_provided
from autodl.errors import EncodingError, did_you_mean
from autodl.spaces.catalogue import ARCHITECTURES
from autodl.spaces.operations import PLUGIN_HINT
from autodl.system.files import write_json
from autodl.system.roles import missing
from autodl.trial import Architecture as Architecture

Decode: TypeAlias = Callable[[Mapping[str, Any]], Architecture]


def _decoder(path: str) -> Decode:
    """``from_json`` of the class at ``module:Class``, which is imported when it is used."""
    module, _, name = path.partition(":")

    def decode(value: Mapping[str, Any]) -> Architecture:
        architecture: Architecture = getattr(import_module(module), name).from_json(value)
        return architecture

    return decode


_DECODERS: dict[str, Decode] = {kind: _decoder(path) for kind, path in ARCHITECTURES.items()}


def register_architecture(kind: str, decode: Decode) -> None:
    """Teach the codec another kind of architecture (for plugins).

    Raises:
        ValueError: the kind is known already.
    """
    if kind in _DECODERS:
        raise ValueError(f"architecture kind {kind!r} exists already; choose another name")
    _DECODERS[kind] = decode
    note_provided("architecture", kind)


def decode_architecture(value: object) -> Architecture:
    """The architecture behind a JSON object.

    Raises:
        EncodingError: not an object, of an unknown kind, or refused by that kind.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        raise EncodingError(
            f"an architecture is a JSON object with a 'kind' ({', '.join(_DECODERS)}), "
            f"got {str(value)[:60]!r}"
        )
    if value["kind"] not in _DECODERS:
        raise EncodingError(
            f"unknown architecture kind {value['kind'][:60]!r}."
            f"{did_you_mean(value['kind'], _DECODERS)} Known: {', '.join(_DECODERS)}."
            f" {PLUGIN_HINT}; it has to call register_architecture."
        )
    return _DECODERS[value["kind"]](value)


def encode_text(architecture: Architecture) -> str:
    """Compact JSON with sorted keys: equal architectures have equal texts.

    Raises:
        EncodingError: it is no architecture, or holds what JSON does not know.
    """
    value = None if missing(architecture, Architecture) else architecture.to_json()
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        raise EncodingError(
            f"an architecture has a method to_json() that gives an object with a 'kind'; one of"
            f" type {type(architecture).__name__} gives {str(value)[:60]!r}"
        )
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise EncodingError(
            f"to_json() of {type(architecture).__name__} gives plain values: {error}"
        ) from None


def decode_text(text: str) -> Architecture:
    """The inverse of ``encode_text``.

    Raises:
        EncodingError: not JSON, or refused by ``decode_architecture``.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError
        raise EncodingError(f"not JSON: {error}") from None
    return decode_architecture(value)


def save_architecture(architecture: Architecture, path: Path) -> None:
    """Write an architecture as a JSON file, whole or not at all."""
    write_json(path, architecture.to_json())


def load_architecture(path: Path) -> Architecture:
    """Read an architecture from a JSON file.

    Raises:
        EncodingError: the file is missing, unreadable, or holds no architecture.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EncodingError(f"cannot read the architecture {path}: {error}") from None
    try:
        return decode_text(text)
    except EncodingError as error:
        raise EncodingError(f"{path}: {error}") from None
