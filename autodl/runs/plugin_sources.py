"""The source of a run's plugins, kept in its folder by checksum, so that no run depends on others.

``plugins/SHA256.py`` is a file named in ``Global.plugins`` as it was when the run was started.
Modules named by their dotted name are not kept: they belong to a package.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from autodl.config.plugins import imported_file, plugin_identity
from autodl.errors import PluginError
from autodl.system.files import write_bytes

FOLDER = "plugins"


def keep_sources(folder: Path, names: Sequence[str]) -> None:
    """Keep the files among the plugins ``names`` in a run's folder; those that are there stay."""
    for name in names:
        if name.endswith(".py"):
            kept = _kept(folder, plugin_identity([name])[0])
            if not kept.exists():
                kept.parent.mkdir(exist_ok=True)
                write_bytes(kept, Path(name).read_bytes())


def find_sources(folder: Path, names: Sequence[str], identities: Sequence[str]) -> list[str]:
    """What to import for a run: names of modules, and files with the content that it was made with.

    A file is taken from where this process has imported that content already, from where it was, or
    from the run's folder. A run of an earlier release has no source in its folder; then a file that
    was changed is taken as it is, as those releases did.

    Args:
        names: of the run's config.
        identities: theirs, from its manifest, in the same order.

    Raises:
        PluginError: a file was moved or deleted, and its source is not in the folder.
    """
    pairs = zip(names, identities, strict=False)
    return [
        _find(folder, name, identity) if name.endswith(".py") else name for name, identity in pairs
    ]


def _find(folder: Path, name: str, identity: str) -> str:
    if (imported := imported_file(identity)) is not None:
        return str(imported)
    for path in (Path(name), _kept(folder, identity)):
        with suppress(PluginError):
            if plugin_identity([str(path)]) == [identity]:
                return str(path)
    if Path(name).is_file():
        return name
    raise PluginError(
        f"{folder} needs the plugin {name}, which was moved or deleted; give its file, as it was,"
        f" by --plugin FILE or -o Global.plugins=[FILE] ({identity[:19]}...)"
    )


def _kept(folder: Path, identity: str) -> Path:
    return folder / FOLDER / f"{identity.removeprefix('sha256:')}.py"
