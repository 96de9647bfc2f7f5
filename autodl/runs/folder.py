"""The folder of a run: who may write to it, what it was started with, and on what.

``config.yaml`` is the resolved configuration, ``run.json`` the manifest, ``trials.sqlite``
the store, ``best.json`` the best architecture, ``vdl/`` the logs, ``logs/`` workers' output,
``checkpoints/`` the trainings that may go on, ``weights/`` those that children inherit,
``source.json`` the architecture that elastic transfer starts from, ``screen.json`` the pool that
proposals are ranked against, ``plugins/`` the sources of plugins.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from autodl import __version__
from autodl.config.plugins import import_plugins, provided
from autodl.config.reading import RawConfig, load_config
from autodl.errors import ConfigError, StoreError
from autodl.runs.lock import LOCK, locked
from autodl.runs.plugin_sources import find_sources, keep_sources
from autodl.system.files import checksum, remove_leftovers, write_json, write_text
from autodl.system.yaml_text import dump

# of every run
CONFIG, MANIFEST, LOG = "config.yaml", "run.json", "vdl"
# of a search
TRIALS, BEST, PICTURE, FRONT = "trials.sqlite", "best.json", "best.svg", "pareto.svg"
SOURCE, CHECKPOINTS, PARENT_WEIGHTS = "source.json", "checkpoints", "weights"
POOL, START = "screen.json", "start.json"
# of a training, and of what is made of one
ARCHITECTURE, CHECKPOINT = "architecture.json", "checkpoint.safetensors"
WEIGHTS, METRICS, TEST = "weights.safetensors", "metrics.json", "test.json"
# of what is made of a training, and has to say how its network is built
TRAINING = "train.yaml"
# of a compression
CHOICE, PACKED = "choice.safetensors", "packed.safetensors"
# of a supernet: its weights before the training, and what is left of a space that shrank
FIRST_WEIGHTS, SPACE_LEFT = "first.safetensors", "space.json"
# of a width search
RANKING, ANNEALING = "ranking.json", "annealing.json"
SEALS = "sha256"  # key of the manifest: checksums of what the run has written, by file
_MAY_CHANGE = "Only budget, workers, device and limits may change; choose another --out folder"
_CHANGED_PLUGIN = (
    "A plugin was changed, added or left out; put it back as it was, or, if the results stay what"
    " they are, go on by --resume --accept-changed-plugins, which records the change"
)


@contextmanager
def run_folder(
    folder: Path,
    config: Mapping[str, Any],
    identity: Mapping[str, Any],
    start: Mapping[str, Any],
    *,
    resume: bool,
    accept_changed_plugins: bool = False,
    reduced: Callable[[Mapping[str, Any]], Any] = dict,
    found_later: Collection[str] = (),
) -> Iterator[Path]:
    """Open a run folder for writing, alone, and record this start in its manifest.

    Args:
        folder: made if missing.
        config: the resolved configuration, plain values.
        identity: the part of it (and of the data) that a resumed run must share.
        start: what may differ from start to start (budget, workers, device).
        resume: go on with what is there; without it a folder that is not empty is refused.
            A folder that is missing or empty is started afresh either way.
        accept_changed_plugins: see ``check_identity``.
        reduced: brings an identity on record into today's form, see ``Sections.reduced``.
        found_later: see ``check_identity``.

    Raises:
        StoreError: in use by another process, not empty, of another configuration, damaged,
            or not writable.
    """
    if folder.is_dir():  # before anything is written to somebody else's folder
        check_content(folder, resume)
    with locked(folder):
        check_content(folder, resume)  # again: another process may just have left it
        remove_leftovers(folder)
        if (folder / MANIFEST).exists():
            manifest = check_identity(
                *(folder, identity, reduced),
                accept_changed_plugins=accept_changed_plugins,
                found_later=found_later,
            )
        else:
            plain = json.loads(json.dumps(identity))
            manifest = {"created": _now(), "identity": plain, "starts": []}
        manifest.pop("ended", None)
        manifest["starts"].append(
            {
                "time": _now(),
                "command": sys.argv,
                "versions": versions(),
                "git": _git_state(),
                **start,
            }
        )
        if plugins := _plugins_of(identity):
            manifest["plugins"] = provided(plugins)
        text = dump(dict(config))
        seal = {CONFIG: hashlib.sha256(text.encode()).hexdigest()}
        manifest[SEALS] = {**manifest.get(SEALS, {}), **seal}
        # the manifest first: it is what tells a run folder from any other
        write_json(folder / MANIFEST, manifest)
        write_text(folder / CONFIG, text)
        keep_sources(folder, _plugins_of(config))
        try:
            yield folder
        except BaseException as error:
            with suppress(StoreError):  # a full disk, perhaps: the error itself matters more
                update_manifest(folder, ended=f"failed: {type(error).__name__}: {error}")
            raise


def check_content(folder: Path, resume: bool) -> None:
    """Refuse a folder that holds a run unless it is resumed, and one that holds anything else."""
    try:
        # files that a kill has left beside their goal do not count
        names = [p.name for p in folder.iterdir() if not p.name.startswith((LOCK, f".{MANIFEST}"))]
    except OSError as error:
        raise StoreError(f"cannot read {folder}: {error.strerror}") from None
    if not names:
        return
    if MANIFEST not in names:
        raise StoreError(
            f"{folder} is not empty and holds no run (no {MANIFEST}); choose another --out folder"
        )
    if not resume:
        raise StoreError(
            f"{folder} is not empty: go on with it by --resume, or choose another --out folder"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises:
        StoreError: there is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder} is no run folder: it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("starts"), list):
        raise StoreError(f"{path} is damaged: it is no manifest of a run")
    return value


def update_manifest(folder: Path, **values: Any) -> None:
    """Set values in the manifest."""
    write_json(folder / MANIFEST, {**read_manifest(folder), **values})


def check_seals(folder: Path, names: Iterable[str] | None = None) -> None:
    """Refuse files that are not what the run in ``folder`` wrote; see ``broken_seal``.

    Raises:
        StoreError: one is missing or was changed, or the manifest is damaged.
    """
    if broken := broken_seal(folder, names):
        raise StoreError(f"{broken}; bring it back from a back-up, or make it again by --resume")


def broken_seal(folder: Path, names: Iterable[str] | None = None) -> str:
    """Which file is not what the run in ``folder`` wrote, and how that is known; empty if none.

    Args:
        folder: a run's; one without a manifest, or of an earlier release, has no checksums.
        names: the files to look at, as far as they are sealed; None for all that are.

    Raises:
        StoreError: the manifest is damaged, or a file cannot be read.
    """
    if not (folder / MANIFEST).exists():
        return ""
    sealed = read_manifest(folder).get(SEALS, {})
    if not isinstance(sealed, dict):
        raise StoreError(f"{folder / MANIFEST} is damaged: {SEALS} is no table of checksums")
    for name in sealed if names is None else names:
        path, known = folder / name, sealed.get(name)
        if known is None:
            continue
        found = checksum(path) if path.is_file() else "none"
        if found != known:
            return (
                f"{path} is not what the run wrote: its SHA-256 is {found[:12]}, it was"
                f" {str(known)[:12]}"
            )
    return ""


def check_identity(
    folder: Path,
    identity: Mapping[str, Any],
    reduced: Callable[[Mapping[str, Any]], Any] = dict,
    *,
    accept_changed_plugins: bool = False,
    found_later: Collection[str] = (),
) -> dict[str, Any]:
    """Refuse to take the run in a folder for another one; nothing is written.

    Args:
        reduced: brings an identity on record into today's form, see ``Sections.reduced``.
        accept_changed_plugins: the plugins may be others than they were. Results of before are
            kept, but not shared with architectures that are evaluated later.
        found_later: names of sections that are compared only where ``identity`` has them.

    Returns:
        The manifest; accepted plugins are in its identity, and what they were before on record.

    Raises:
        StoreError: it differs; the first key that does is named. Or the manifest is damaged.
    """
    manifest = read_manifest(folder)
    if accept_changed_plugins:
        manifest = _with_plugins(manifest, _plugins_of(identity), folder / MANIFEST)
    known = manifest.get("identity")
    known = reduced(known) if isinstance(known, dict) else known
    if isinstance(known, dict):
        later = {name for name in found_later if name not in identity}
        known = {name: section for name, section in known.items() if name not in later}
    if differing := _first_difference(known, json.loads(json.dumps(identity))):
        key, old, new = differing
        if key == "Global.plugins":
            old, new = _apart(old, new), _apart(new, old)
        raise StoreError(
            f"{folder} holds another run: {key} was {old!r}, now it is {new!r}."
            f" {_CHANGED_PLUGIN if key == 'Global.plugins' else _MAY_CHANGE}"
        )
    return manifest


def _apart(some: Any, others: Any) -> Any:
    """The plugins that only some runs have, checksums by their first digits; all if none is."""
    if not isinstance(some, list) or not isinstance(others, list):
        return some
    left = [plugin for plugin in some if plugin not in others] or some
    return [str(p)[:15] if str(p).startswith("sha256:") else p for p in left]


def _with_plugins(manifest: dict[str, Any], now: list[str], path: Path) -> dict[str, Any]:
    """The manifest of a run that is one of these plugins from now on.

    Raises:
        StoreError: it is damaged.
    """
    identity, changes = manifest.get("identity"), manifest.get("plugin_changes", [])
    general = identity.get("Global") if isinstance(identity, dict) else None
    if not (isinstance(identity, dict) and isinstance(general, dict) and isinstance(changes, list)):
        raise StoreError(f"{path} is damaged: it does not say what the plugins were")
    before = _plugins_of(identity)
    if before == now:
        return manifest
    return {
        **manifest,
        "identity": {**identity, "Global": {**general, "plugins": now}},
        "plugin_changes": [*changes, {"time": _now(), "before": before, "now": now}],
    }


class _Default:
    """Stands for a key that is left out because it has its default."""

    def __repr__(self) -> str:
        return "the default"


_DEFAULT = _Default()


def _first_difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            here = f"{path}.{key}" if path else key
            if found := _first_difference(old.get(key, _DEFAULT), new.get(key, _DEFAULT), here):
                return found
        return None
    return None if old == new else (path, old, new)


@cache
def versions() -> Mapping[str, str]:
    """Versions of what results may depend on; packages that are absent are left out."""
    found = {"autodl": __version__, "python": platform.python_version()}
    for package in ("numpy", "paddlepaddle", "paddlepaddle-gpu", "parl", "visualdl"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git_state() -> dict[str, Any] | None:
    """Commit of the checkout that this code runs from, and whether it was changed since."""
    top = Path(__file__).resolve().parents[2]
    if not (top / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(top), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def import_run_plugins(folder: Path) -> None:
    """Import the plugins of a run: its architectures may have operations that they define.

    Raises:
        ConfigError: the run's config is damaged.
        PluginError: a plugin cannot be imported any more.
    """
    import_plugins(run_plugins(folder))


def run_plugins(folder: Path) -> list[str]:
    """What to import for a run: each plugin as the run was made with it, see ``find_sources``.

    Raises:
        ConfigError: the run's config is damaged.
        PluginError: a plugin's file is gone.
    """
    names = _plugins_of(run_config(folder).values)
    known = _plugins_of(read_manifest(folder).get("identity") or {}) if names else []
    return find_sources(folder, names, known) if len(known) == len(names) else names


def _plugins_of(sections: Mapping[str, Any]) -> list[str]:
    """The plugins in a config or an identity."""
    return [str(name) for name in (sections.get("Global") or {}).get("plugins") or ()]


def run_config(folder: Path) -> RawConfig:
    """The resolved configuration; empty if a kill came before it, when there is nothing else.

    Raises:
        ConfigError: it is damaged, or missing where there is more than a manifest.
        StoreError: it is not what the run wrote.
    """
    path = folder / CONFIG
    if path.exists() or not folder.is_dir():
        check_seals(folder, (CONFIG,))
        return load_config(path)
    if later := sorted(p.name for p in folder.iterdir() if not p.name.startswith((".", MANIFEST))):
        raise ConfigError(
            f"{path} is missing, though {later[0]} was written after it: bring it back, or let the"
            " command that made the run write it again by --resume"
        )
    return RawConfig({})
