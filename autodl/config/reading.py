"""YAML files in the style of the Paddle projects, read into frozen, checked sections.

A file has capitalised sections of snake_case keys and may inherit from others through
``_BASE_`` (paths relative to the file, or names of shipped configs; mappings merge, lists
replace, later bases and the file itself win). ``-o Section.key=value`` overrides any key. Nothing
is ever evaluated. Which sections exist, and what may stand in them, is settled in ``sections.py``
and ``components.py`` beside this file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from autodl.config.kinds import KINDS
from autodl.errors import ConfigError
from autodl.system.resources import find_config
from autodl.system.yaml_text import check_tag, compose, is_text, plain_scalar, quoted, scalar

KeyPath: TypeAlias = tuple[str, ...]
_LOGGER = logging.getLogger("autodl")

DEEPEST = 50  # levels of a config
MOST_VALUES = 100_000  # of a config; a few aliases of aliases stand for billions
_YAML_STARTS = tuple("[{\"'!&*|>%@`")  # of a value that is more than a word or a number


@dataclass(frozen=True, slots=True)
class RawConfig:
    """Merged but unchecked values, and where each key came from (``file:line`` or ``-o``)."""

    values: dict[str, Any]
    origins: dict[KeyPath, str] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> str:
        """Where the key, or the nearest one around it, was written; empty if nowhere."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path, "")

    def only(self, sections: Iterable[str]) -> RawConfig:
        """The sections of these names, as far as there are any."""
        kept = {name: self.values[name] for name in sections if name in self.values}
        return RawConfig(kept, self.origins)

    def below(self, *path: str) -> RawConfig:
        """What stands under a key, as a configuration of its own; empty where nothing does."""
        values: Any = self.values
        for key in path:
            values = values.get(key) or {}
        depth = len(path)
        origins = {key[depth:]: line for key, line in self.origins.items() if key[:depth] == path}
        return RawConfig(values, origins)

    def merged(self, other: RawConfig) -> RawConfig:
        """A new configuration: this one with ``other`` merged into it, as into a ``_BASE_``."""
        result = RawConfig(deepcopy(self.values), dict(self.origins))
        _merge(result, RawConfig(deepcopy(other.values), other.origins))
        return result


def load_config(path: Path, overrides: Sequence[str] = ()) -> RawConfig:
    """Read a YAML file with its bases and apply overrides.

    Args:
        path: a file, or the name of a shipped one such as ``search/demo.yaml``.
        overrides: ``Section.key=value`` each; list items are addressed by their index.

    Raises:
        ConfigError: a file is missing, is not YAML, repeats a key or inherits from itself, or
            an override is malformed.
    """
    raw = _read(find_config(path), ())
    for override in overrides:
        _override(raw, override)
    return raw


def _read(path: Path, children: tuple[Path, ...]) -> RawConfig:
    try:
        path = path.resolve()
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: this is no UTF-8 text; save the config as UTF-8"
        ) from None
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the config {path}: {reason}") from None
    if path in children:
        chain = " -> ".join(p.name for p in (*children, path))
        raise ConfigError(f"{path}: _BASE_ goes in a circle: {chain}; remove one of them")
    own = _parse(text, path)
    bases = own.values.pop("_BASE_", None)
    bases = bases if isinstance(bases, list) else [] if bases is None else [bases]
    merged = RawConfig({})
    for base in bases:
        line_of_base = own.origin(("_BASE_",))
        if not isinstance(base, str):
            raise ConfigError(f"{line_of_base}: _BASE_ lists paths of other files, got {base!r}")
        try:
            beside = path.parent / base
            found = beside if beside.exists() else find_config(Path(base))
        except OSError as error:
            raise ConfigError(
                f"{line_of_base}: _BASE_: cannot read {base[:80]!r}: {error.strerror}"
            ) from None
        _merge(merged, _read(found, (*children, path)))
    _merge(merged, own)
    return merged


def _parse(text: str, path: Path) -> RawConfig:
    """One file's own values and the line of every key."""
    try:
        node = compose(text)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply; {DEEPEST} levels are the most") from None
    except yaml.YAMLError as error:
        line, problem = _where(error, text)
        raise ConfigError(f"{path}:{line}: not valid YAML: {problem}") from None
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        return RawConfig({})
    if not isinstance(node, yaml.MappingNode):
        got = "a list" if isinstance(node, yaml.SequenceNode) else repr(node.value[:40])
        raise ConfigError(f"{path}: a config is a mapping of sections, got {got}")
    collecting = _Collecting(str(path))
    return RawConfig(collecting.mapping(node, ()), collecting.origins)


def _where(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line of a mistake in YAML, and what it is."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        parts = (getattr(error, "context", None), getattr(error, "problem", None))
        return mark.line + 1, " ".join(", ".join(part for part in parts if part).split())
    position = getattr(error, "position", 0)
    character = f"{text[position : position + 1]!r} is no character that a text file may hold"
    return text.count("\n", 0, position) + 1, character


class _Collecting:
    """Turns the nodes of one text into values, and notes the line of every key."""

    def __init__(self, name: str) -> None:
        self.origins: dict[KeyPath, str] = {}
        self._name = name
        self._left = MOST_VALUES

    def mapping(self, node: yaml.MappingNode, above: KeyPath) -> dict[str, Any]:
        """The values of a mapping, by their keys as they are written."""
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = f"{self._name}:{key_node.start_mark.line + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{line}: a key is a word, got a {key_node.id}")
            key = str(key_node.value)
            if not is_text(key):
                raise ConfigError(f"{line}: {key!r} is no text")
            if key in values:
                raise ConfigError(f"{line}: the key {key!r} is there twice; remove one")
            here = (*above, key)
            self.origins[here] = line
            values[key] = self.value(value_node, here, f"{line}: {key}")
        return values

    def value(self, node: yaml.Node, here: KeyPath, origin: str) -> Any:
        """The value of any node; ``origin`` is said in front of a mistake."""
        self._left -= 1
        if self._left < 0:
            raise ConfigError(
                f"{origin}: more than {MOST_VALUES:,} values, perhaps by aliases of aliases"
            )
        if len(here) > DEEPEST:
            raise ConfigError(
                f"{origin}: nested too deeply ({DEEPEST} levels are the most), or an alias holds"
                " itself"
            )
        try:
            check_tag(node)
            if isinstance(node, yaml.ScalarNode):
                return scalar(node)
        except ValueError as error:
            raise ConfigError(f"{origin}: {error}") from None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, here)
        return [
            self.value(item, (*here, str(number)), origin) for number, item in enumerate(node.value)
        ]


_RENAMED = tuple(section for section, kind in KINDS.items() if not kind.keeps)


def _merge(into: RawConfig, other: RawConfig) -> None:
    """Merge ``other`` into ``into``: mappings merge, everything else replaces.

    A component that is renamed drops the old one's options.
    """
    for section in _RENAMED:
        old, new = into.values.get(section), other.values.get(section)
        if isinstance(old, dict) and isinstance(new, dict) and "name" in new:
            _rename(old, new["name"])

    def merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
        for key, value in source.items():
            old = target.get(key)
            if isinstance(value, dict) and isinstance(old, dict):
                merge(old, value)
            else:
                target[key] = value

    merge(into.values, other.values)
    into.origins.update(other.origins)


def _rename(component: dict[str, Any], name: object) -> None:
    """Drop the options of a component that gets another name: they belong to the old one."""
    if component.get("name", name) != name:
        component.clear()


def _rename_by_override(raw: RawConfig, section: str, name: object, text: str) -> None:
    """The same for ``-o``: say what is dropped, and keep what other ``-o`` have set."""
    component = raw.values[section]
    before = dict(component)
    _rename(component, name)
    given = {key for key in before if raw.origins.get((section, key), "").startswith("-o ")}
    component.update({key: before[key] for key in before if key in given and key != "name"})
    if dropped := [f"{section}.{key}" for key in before if key not in (*component, "name")]:
        _LOGGER.warning(
            "-o %s drops %s, which %s of %s; give %s again if %s has it",
            text,
            ", ".join(dropped),
            "were options" if len(dropped) > 1 else "was an option",
            before["name"],
            "each" if len(dropped) > 1 else "it",
            name,
        )


def _override(raw: RawConfig, text: str) -> None:
    key, equals, value_text = text.partition("=")
    parts = tuple(key.strip().split("."))
    if not equals or not all(parts):
        raise ConfigError(f"-o {text!r}: give Section.key=value, for example -o Global.seed=1")
    value = _override_value(value_text, text)
    target: Any = raw.values
    for depth, part in enumerate(parts[:-1]):
        if isinstance(target, list):
            target = target[_index(target, part, text)]
        else:
            if target.get(part) is None:  # absent, or an empty section
                target[part] = {}
            target = target[part]
        if not isinstance(target, dict | list):
            where = ".".join(parts[: depth + 1])
            raise ConfigError(f"-o {text!r}: {where} is {target!r}, it has no keys")
    if isinstance(target, list):
        target[_index(target, parts[-1], text)] = value
    else:
        if parts[-1] == "name" and parts[:-1] in {(section,) for section in _RENAMED}:
            _rename_by_override(raw, parts[0], value, text)
        target[parts[-1]] = value
    raw.origins[parts] = f"-o {text}"


def _override_value(value_text: str, text: str) -> Any:
    """What follows the equals sign: a word or number is taken whole, as the shell gave it.

    Only what starts like a list, a mapping, a quoted text or another construct of YAML is read as
    such, so that no ``#`` or ``: `` in a path cuts it.
    """
    if not is_text(text):
        raise ConfigError(f"-o {text!r}: this is no UTF-8 text; rename the file or folder")
    try:
        if not value_text.lstrip().startswith(_YAML_STARTS):
            return plain_scalar(value_text)
        node = compose(value_text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(
            f"-o {text!r}: the value is not valid YAML; quote it, also for YAML:"
            f" -o '{text.partition('=')[0]}={quoted(value_text)}'"
        ) from None
    if node is None:  # only a directive or the like
        return None
    return _Collecting(f"-o {text!r}").value(node, (), f"-o {text!r}")


def override(key: str, value: str) -> str:
    """``-o``'s argument that sets ``key`` to just this text."""
    return f"{key}={quoted(value)}"


def _index(items: list[Any], part: str, text: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise ConfigError(f"-o {text!r}: {part!r} is no index of a list of {len(items)} items")
    return int(part)
