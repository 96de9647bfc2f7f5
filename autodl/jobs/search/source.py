"""Where a search begins: the best architecture of an earlier run, or one in a file.

Elastic transfer starts from one of these (``Search.source``), and any strategy can have some tried
first (``Search.start``). They are written down in the folder of the new run, which from then on
needs the earlier ones no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from autodl.errors import AutoDLError, ConfigError, StoreError
from autodl.runs.folder import (
    ARCHITECTURE,
    SOURCE,
    START,
    TRIALS,
    import_run_plugins,
    read_manifest,
)
from autodl.runs.store import TrialStore
from autodl.search.asking import Limits
from autodl.search.config import SearchConfig
from autodl.spaces.codec import Architecture, decode_architecture, load_architecture
from autodl.spaces.rows import as_coded
from autodl.spaces.space import canonical_form
from autodl.strategies.elastic_transfer import basic_architecture
from autodl.system.files import write_json
from autodl.system.resources import resource


@dataclass(frozen=True, slots=True)
class Source:
    """An architecture and where it is from; that of a training or a file has no ``trial``."""

    run: str
    trial: int | None
    architecture: Architecture

    def to_json(self) -> dict[str, Any]:
        """What is written down of it."""
        about = {"run": self.run, "trial": self.trial}
        return {**about, "architecture": self.architecture.to_json()}

    @classmethod
    def from_json(cls, value: Any) -> Source:
        """Read it again. Whatever is wrong with it is a ValueError, KeyError or TypeError."""
        return cls(value["run"], value["trial"], decode_architecture(value["architecture"]))

    def write(self, folder: Path) -> None:
        """Write it down in a run folder."""
        write_json(folder / SOURCE, self.to_json())


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
                f" {config.strategy.name} does not; set Strategy.name=ElasticTransfer, or name it"
                " in Search.start, which any strategy tries first"
            )
        return None
    if folder is not None and (folder / SOURCE).is_file():
        stored = _stored(folder / SOURCE)
        if len(stored) != 1:
            raise StoreError(
                f"{folder / SOURCE} has {len(stored)} architectures in place of one; restore it, or"
                " delete it"
            )
        if run is None or str(run) == stored[0].run:
            return stored[0]
    return None if run is None else _read(run, space, "Search.source")


def find_start(
    config: SearchConfig, space: Any, folder: Path | None = None, limits: Limits | None = None
) -> tuple[Source, ...]:
    """What a search tries before its strategy proposes anything, in the order of ``Search.start``.

    What is written down in the run's folder comes first, unless ``Search.start`` names others now.

    Args:
        config: with ``Search.start``.
        space: that the architectures must be of.
        folder: of the run, if it may be there already.
        limits: that they must not exceed.

    Raises:
        ConfigError: there are more than trials, the space is not coded, or one is of another space,
            over a limit, or the same as another by canonical form.
        AutoDLError: one is no run and no file, or is damaged.
    """
    named = config.search.start
    if folder is not None and (folder / START).is_file():
        stored = _stored(folder / START)
        if not named or [str(one) for one in named] == [one.run for one in stored]:
            return stored
    if len(named) > config.search.max_trials:
        raise ConfigError(
            f"Search.start names {len(named)} architectures, and Search.max_trials is"
            f" {config.search.max_trials}; raise it, or name fewer"
        )
    if named:
        as_coded(space, "Search.start")
    start = tuple(_read(one, space, "Search.start") for one in named)
    canonical, known = canonical_form(space), dict[Architecture, Source]()
    for one in start:
        twin = known.setdefault(canonical(one.architecture), one)
        if twin is not one:
            raise ConfigError(
                f"Search.start: {twin.run} and {one.run} are the same architecture; leave one out"
            )
        if limits is not None and (over := limits.excess(one.architecture)):
            costs = ", ".join(f"{name} {value:g}" for name, value in over.items())
            raise ConfigError(f"Search.start: {one.run} is over Objectives.limits with {costs}")
    return start


def write_start(folder: Path, start: Sequence[Source]) -> None:
    """Write down in a run folder what the search tries first, if there is anything."""
    if start:
        write_json(folder / START, [one.to_json() for one in start])


def _takes_source(factory: Callable[..., Any]) -> bool:
    return "source" in signature(factory).parameters


def _stored(path: Path) -> tuple[Source, ...]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return tuple(map(Source.from_json, value if isinstance(value, list) else [value]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"cannot read {path}: {error}; restore it, or delete it") from None


def _read(run: Path, space: Any, key: str) -> Source:
    """The best architecture of a search, that of a network that was retrained, or a file's."""
    shipped = resource("configs") / "architectures" / run
    file = run if run.exists() or not shipped.is_file() else shipped
    alone = file if file.is_file() else run / ARCHITECTURE
    if alone.is_file() and not (run / TRIALS).is_file():
        try:
            return Source(str(run), None, space.check(load_architecture(alone)))
        except ConfigError as error:
            raise ConfigError(f"{key}: {run} cannot be started from: {error}") from None
    try:
        read_manifest(run)
        import_run_plugins(run)
        with closing(TrialStore(run / TRIALS, read_only=True)) as store:
            best = next(iter(store.best()), None)
    except AutoDLError as error:
        raise type(error)(f"{key}: {error}") from None
    architecture = basic_architecture(space, best, f"{key}: {run}")
    return Source(str(run), best.id if best is not None else None, architecture)
