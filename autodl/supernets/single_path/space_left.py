"""The file with what a shrunk supernet has left of its space, read by those who search in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from autodl.config.reading import load_config
from autodl.errors import ConfigError, StoreError
from autodl.runs.folder import CONFIG, SPACE_LEFT, check_seals, import_run_plugins
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Coded
from autodl.spaces.subspace import Subspace
from autodl.supernets.single_path.config import SupernetConfig
from autodl.system.files import write_json

_VERSION = 1


def save_left(left: Subspace[Any], folder: Path) -> None:
    """Write what is left; for people with the names of the decisions."""
    rows = [
        {"decision": label, "values": list(values)}
        for label, values in zip(left.labels, left.values, strict=True)
    ]
    write_json(folder / SPACE_LEFT, {"version": _VERSION, "left": rows})


def load_left(folder: Path, whole: Coded[Any]) -> Subspace[Any]:
    """What a supernet has left of its space; all of it where it did not shrink.

    Args:
        whole: the space of the supernet.

    Raises:
        StoreError: the file is damaged.
    """
    path = folder / SPACE_LEFT
    if not path.exists():
        return Subspace.all_of(whole)
    check_seals(folder, (SPACE_LEFT,))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != _VERSION:
            raise ValueError(f"version {found['version']!r} is not known here")
        return Subspace(whole, tuple(tuple(map(int, row["values"])) for row in found["left"]))
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise StoreError(f"{path} is damaged: {error}") from None


def within(folder: Path, space: Any) -> Any:
    """A search's space without what a supernet has lost of it; the space itself if it shrank not.

    Raises:
        ConfigError: it is another space, or nothing is left of a decision.
        StoreError: there is no run, or it is damaged.
    """
    if not (folder / SPACE_LEFT).exists():
        return space
    import_run_plugins(folder)
    config = SupernetConfig.resolve(load_config(folder / CONFIG, ()))
    whole = as_coded(config.space.factory()(**config.space.arguments()), "a supernet")
    left, own = load_left(folder, whole), as_coded(space, "a search in a shrunk supernet")
    if own.kind != whole.kind or len(own.sizes) != len(whole.sizes):
        raise ConfigError(f"{folder} is a supernet of another space: {type(whole).__name__}")
    values = []
    for place, (size, kept) in enumerate(zip(own.sizes, left.values, strict=True)):
        rows = np.zeros((size, len(own.sizes)), np.int64)
        rows[:, place] = np.arange(size)
        codes = [int(whole.encode(own.decode(row))[place]) for row in rows]
        values.append(tuple(value for value, code in enumerate(codes) if code in kept))
        if not values[-1]:
            raise ConfigError(
                f"{folder} has lost all that Space has for {left.labels[place]}; let Space be that"
                " of the supernet"
            )
    return Subspace(own, tuple(values))
