"""YAML files in the style of the Paddle projects, read into frozen, checked sections.

A file has capitalised sections of snake_case keys and may inherit from others through
``_BASE_`` (paths relative to the file, or names of shipped configs; mappings merge, lists
replace, later bases and the file itself win). ``-o Section.key=value`` overrides any key; its
value is read as YAML. Nothing is ever evaluated. Which sections exist, and what may stand in
them, is settled in ``sections.py`` and ``components.py`` beside this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from autodl.config.kinds import KINDS
from autodl.errors import ConfigError
from autodl.system.resources import find_config

KeyPath: TypeAlias = tuple[str, ...]


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


class _Loader(yaml.SafeLoader):
    """SafeLoader that also reads 1e-3 as a number, as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


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
    path = path.resolve()
    if path in children:
        chain = " -> ".join(p.name for p in (*children, path))
        raise ConfigError(f"{path}: _BASE_ goes in a circle: {chain}; remove one of them")
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        own = RawConfig({})
        if node is not None and node.tag != "tag:yaml.org,2002:null":
            if not isinstance(node, yaml.MappingNode):
                got = "a list" if isinstance(node, yaml.SequenceNode) else repr(node.value[:40])
                raise ConfigError(f"{path}: a config is a mapping of sections, got {got}")
            own = RawConfig(*_collect(node, loader, path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the config {path}: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply, or an alias holds itself") from None
    bases = own.values.pop("_BASE_", None)
    bases = bases if isinstance(bases, list) else [] if bases is None else [bases]
    merged = RawConfig({})
    for base in bases:
        if not isinstance(base, str):
            line = own.origin(("_BASE_",))
            raise ConfigError(f"{line}: _BASE_ lists paths of other files, got {base!r}")
        beside = path.parent / base
        found = beside if beside.exists() else find_config(Path(base))
        _merge(merged, _read(found, (*children, path)))
    _merge(merged, own)
    return merged


def _collect(
    node: yaml.MappingNode, loader: yaml.SafeLoader, path: Path, above: KeyPath = ()
) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Values of a mapping node and the line of every key below it."""
    values: dict[str, Any] = {}
    origins: dict[KeyPath, str] = {}
    for key_node, value_node in node.value:
        line = f"{path}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{line}: a key is a word, got a {key_node.id}")
        key = str(key_node.value)
        if key in values:
            raise ConfigError(f"{line}: the key {key!r} is there twice; remove one")
        here = (*above, key)
        origins[here] = line
        if isinstance(value_node, yaml.MappingNode):
            values[key], below = _collect(value_node, loader, path, here)
            origins |= below
            continue
        try:
            values[key] = loader.construct_object(value_node, deep=True)
        except (yaml.YAMLError, ValueError) as error:  # ValueError: the 45th of a month
            raise ConfigError(f"{line}: {key}: {' '.join(str(error).split())}") from None
    return values, origins


def _merge(into: RawConfig, other: RawConfig) -> None:
    """Merge ``other`` into ``into``: mappings merge, everything else replaces.

    A component that is renamed drops the old one's options.
    """
    for section in KINDS:
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


def _override(raw: RawConfig, text: str) -> None:
    key, equals, value_text = text.partition("=")
    parts = tuple(key.strip().split("."))
    if not equals or not all(parts):
        raise ConfigError(f"-o {text!r}: give Section.key=value, for example -o Global.seed=1")
    try:
        value = _Loader(value_text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: the 45th of a month
        raise ConfigError(f"-o {text!r}: the value is not valid YAML; quote it") from None
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
        if parts[-1] == "name" and parts[:-1] in {(section,) for section in KINDS}:
            _rename(target, value)
        target[parts[-1]] = value
    raw.origins[parts] = f"-o {text}"


def _index(items: list[Any], part: str, text: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise ConfigError(f"-o {text!r}: {part!r} is no index of a list of {len(items)} items")
    return int(part)
