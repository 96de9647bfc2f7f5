"""Where elastic transfer begins: the best architecture of an earlier run, or one in a file.

It is written down in the folder of the new run, which from then on needs the earlier one no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from autodl.errors import AutoDLError, ConfigError, StoreError
from autodl.runs.folder import ARCHITECTURE, SOURCE, TRIALS, import_run_plugins, read_manifest
from autodl.runs.store import TrialStore
from autodl.search.config import SearchConfig
from autodl.spaces.codec import Architecture, decode_architecture, load_architecture
from autodl.strategies.elastic_transfer import basic_architecture
from autodl.system.files import write_json
from autodl.system.resources import resource


@dataclass(frozen=True, slots=True)
class Source:
    """An architecture and where it is from; that of a training or a file has no ``trial``."""

    run: str
    trial: int | None
    architecture: Architecture

    def write(self, folder: Path) -> None:
        """Write it down in a run folder."""
        about = {"run": self.run, "trial": self.trial}
        write_json(folder / SOURCE, {**about, "architecture": self.architecture.to_json()})


def find_source(config: SearchConfig, space: Any, folder: Path | None = None) -> Source | None:
    """What a search starts from; None where its strategy starts from nothing.

    What is written down in the run's ``folder`` comes first, unless ``Search.source`` names
    another run now.

    Raises:
        ConfigError: ``Search.source`` is given for a strategy that starts from nothing, or names a
            run without a complete trial or of another space.
        AutoDLError: there is no run, or it is damaged.
    """
    run = config.search.source
    if not _takes_source(config.strategy.factory()):
        if run is not None:
            raise ConfigError(
                f"Search.source={run} is for a strategy that starts from an architecture, and"
                f" {config.strategy.name} does not; set Strategy.name=ElasticTransfer"
            )
        return None
    if folder is not None and (folder / SOURCE).is_file():
        stored = _stored(folder / SOURCE)
        if run is None or str(run) == stored.run:
            return stored
    return None if run is None else _read(run, space)


def _takes_source(factory: Callable[..., Any]) -> bool:
    return "source" in signature(factory).parameters


def _stored(path: Path) -> Source:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Source(value["run"], value["trial"], decode_architecture(value["architecture"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"cannot read {path}: {error}; restore it, or delete it") from None


def _read(run: Path, space: Any) -> Source:
    """The best architecture of a search, that of a network that was retrained, or a file's."""
    shipped = resource("configs") / "architectures" / run
    file = run if run.exists() or not shipped.is_file() else shipped
    alone = file if file.is_file() else run / ARCHITECTURE
    if alone.is_file() and not (run / TRIALS).is_file():
        try:
            return Source(str(run), None, space.check(load_architecture(alone)))
        except ConfigError as error:
            raise ConfigError(f"Search.source: {run} cannot be the source: {error}") from None
    try:
        read_manifest(run)
        import_run_plugins(run)
        with closing(TrialStore(run / TRIALS, read_only=True)) as store:
            best = next(iter(store.best()), None)
    except AutoDLError as error:
        raise type(error)(f"Search.source: {error}") from None
    architecture = basic_architecture(space, best, f"Search.source: {run}")
    return Source(str(run), best.id if best is not None else None, architecture)
