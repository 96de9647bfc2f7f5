"""User modules that add operations, spaces, networks, strategies, evaluators or drawings.

A file is known by its content: wherever it lies, it is imported once, and a run that was made with
it knows it again. What a plugin adds is noted, so that one that only adds a strategy need not keep
two runs apart.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from autodl.errors import PluginError
from autodl.system.console import MARK

_provided: dict[str, set[str]] = {}  # by identity
_files: dict[str, Path] = {}  # by identity, of those that were imported
_importing: list[str] = []


def import_plugins(names: Sequence[str]) -> None:
    """Import every module named in ``Global.plugins``, in order; each once per process.

    Args:
        names: dotted module names (the working folder counts as a place to look), or paths of
            ``.py`` files.

    Raises:
        PluginError: a module is missing or raises while it is imported.
    """
    for name in names:
        try:
            _import(name)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"Global.plugins: cannot import {name!r}: {type(error).__name__}: "
                f"{' '.join(str(error).split())}. Give a module on the Python path or a .py file"
            ) from error


def _import(name: str) -> None:
    if name.endswith(".py") and not Path(name).is_file():
        raise FileNotFoundError(f"no such file {Path(name).resolve()}")
    identity = _identity(name)
    _provided.setdefault(identity, set())
    _importing.append(identity)
    try:
        if name.endswith(".py"):
            _import_file(Path(name).resolve(), identity)
            return
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        vars(import_module(name))[MARK] = True
    finally:
        _importing.pop()


def _import_file(path: Path, identity: str) -> None:
    name = f"autodl_plugin_{identity.removeprefix('sha256:')[:16]}"
    if name in sys.modules:
        return
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"no such file {path}")
    module = module_from_spec(spec)
    vars(module)[MARK] = True
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _files[identity] = path


def note_provided(kind: str, name: str) -> None:
    """Note that the plugin which is being imported, if one is, adds something.

    Args:
        kind: a section such as ``Strategy``, or ``operation``, ``architecture``, ``layer``,
            ``drawing``.
    """
    if _importing:
        _provided[_importing[-1]].add(f"{kind} {name}")


def provided(plugins: Sequence[str]) -> dict[str, list[str]]:
    """Identities of plugins that were imported here -> what each has added, in order of names."""
    return {plugin: sorted(_provided[plugin]) for plugin in plugins if plugin in _provided}


def bearing(
    plugins: Sequence[str],
    known: Mapping[str, Collection[str]],
    *,
    free: Collection[str],
    chosen: Mapping[str, str | None],
) -> list[str]:
    """The plugins that results may depend on: those that add something that matters, or nothing.

    Args:
        plugins: identities.
        known: what they add, see ``provided``; one of which nothing is known counts.
        free: kinds that do not matter.
        chosen: kinds of which a run has one or none, with its name; others of these kinds do not
            matter. Of any other kind (operations, loss terms, tasks) all that is added does.
    """

    def matters(part: str) -> bool:
        kind, _, name = part.partition(" ")
        return kind not in free and chosen.get(kind, name) == name

    return [
        plugin
        for plugin in plugins
        if not known.get(plugin) or any(matters(part) for part in known[plugin])
    ]


def imported_file(identity: str) -> Path | None:
    """Where a plugin's file was imported from in this process, if it was and is still there."""
    path = _files.get(identity)
    return path if path is not None and path.is_file() else None


def plugin_identity(names: Sequence[str]) -> list[str]:
    """What a resumed run must share: the SHA-256 of every file, the name of every module.

    A plugin's file may move, but not change.

    Raises:
        PluginError: a file is gone.
    """
    return [_identity(name) for name in names]


def _identity(name: str) -> str:
    if not name.endswith(".py"):
        return name
    try:
        return f"sha256:{sha256(Path(name).read_bytes()).hexdigest()}"
    except OSError as error:
        raise PluginError(f"Global.plugins: cannot read {name}: {error.strerror}") from None
