"""User modules that add operations, spaces, networks, strategies or evaluators."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from autodl.errors import PluginError


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
            if name.endswith(".py"):
                _import_file(Path(name))
            else:
                if "" not in sys.path and str(Path.cwd()) not in sys.path:
                    sys.path.append(str(Path.cwd()))
                import_module(name)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"Global.plugins: cannot import {name!r}: {type(error).__name__}: "
                f"{' '.join(str(error).split())}. Give a module on the Python path or a .py file"
            ) from error


def _import_file(path: Path) -> None:
    path = path.resolve()
    # two files of one name in different folders are two plugins
    name = f"autodl_plugin_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no such file {path}")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def plugin_identity(names: Sequence[str]) -> list[str]:
    """What a resumed run must share: the SHA-256 of every file, the name of every module.

    A plugin's file may move, but not change.
    """
    return [
        f"sha256:{hashlib.sha256(Path(name).read_bytes()).hexdigest()}"
        if name.endswith(".py")
        else name
        for name in names
    ]
