"""Which searches are alike: where one may take over another's results, or be compared with it.

Both are settled on the identity in a run's manifest, so that runs of another process, machine or
day count as well. A plugin counts only as far as it adds what matters: one that brings a strategy
keeps no results apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from autodl.config.kinds import KINDS
from autodl.config.plugins import bearing, provided

Plain = Mapping[str, Any]
_BEGUN = ("Source", "Start", "History", "Screen")  # what a strategy starts from
_HARMLESS = ("Strategy", "Compression", "drawing")  # of what plugins add
INHERITANCE = ("inherit", "resize_kernels")  # of Train: how a strategy's children begin


def work_part(identity: Plain, known: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What of a search the result of an architecture depends on, luck aside.

    Args:
        identity: of its manifest, or ``SearchConfig.identity()``.
        known: what its plugins add, see ``known_plugins``.
    """
    free = ("Strategy", "Space", "Fidelity")
    return _without(identity, (*free, *_BEGUN), bearing_of(identity, known, (*_HARMLESS, *free)))


def setting_part(identity: Plain, known: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What searches have in common that can be compared: all but strategy, source and seed.

    Whether children inherit is the strategy's, and where transfers start from does not matter,
    since each seed may have a source of its own.
    """
    part = _without(identity, ("Strategy", *_BEGUN), bearing_of(identity, known, _HARMLESS))
    if "Train" in part:
        part["Train"] = {k: v for k, v in part["Train"].items() if k not in INHERITANCE}
    return part


def bearing_of(
    identity: Plain, known: Mapping[str, Collection[str]], free: Collection[str]
) -> list[str]:
    """The plugins of a run that matter where kinds that are ``free`` do not."""
    chosen = {
        section: (identity.get(section) or {}).get("name")
        for section, kind in KINDS.items()
        if not kind.keeps  # the examples on record do not tell how a task of a plugin scores them
    }
    plugins = identity.get("Global", {}).get("plugins", ())
    return bearing(plugins, known, free=free, chosen=chosen)


def known_plugins(manifest: Plain) -> dict[str, list[str]]:
    """What the plugins of a run add, from its manifest, or from this process if it is older."""
    plugins = (manifest.get("identity") or {}).get("Global", {}).get("plugins", ())
    return {**provided(plugins), **(manifest.get("plugins") or {})}


def differences(there: Plain, here: Plain, path: str = "") -> Iterator[str]:
    """``Objectives.minimise (['macs'] there, none here)`` for each key in which they differ."""
    for key in dict.fromkeys((*there, *here)):
        old, new = there.get(key), here.get(key)
        name = f"{path}.{key}" if path else key
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, name)
        elif isinstance(old or new, Mapping) and (old is None or new is None):
            yield from differences(old or {}, new or {}, name)
        else:
            yield f"{name} ({_said(old)} there, {_said(new)} here)"


def _said(value: object) -> str:
    """A value in a sentence; checksums by their first digits."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_said, value))}]"
    if isinstance(value, str) and value.startswith("sha256:"):
        return f"{value[:15]}..."
    return "none" if value is None else repr(value)


def _without(identity: Plain, sections: Collection[str], plugins: list[str]) -> dict[str, Any]:
    part = {name: section for name, section in identity.items() if name not in sections}
    general = {key: value for key, value in part.get("Global", {}).items() if key != "seed"}
    return {**part, "Global": {**general, "plugins": plugins}}
