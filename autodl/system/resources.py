"""Where the files that ship with the project are: configs, models, tools and the lock.

In a checkout they stand beside the package, after an installation inside it (setup.py puts
them there). Nothing else in the project knows of the difference.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from autodl.errors import ConfigError, UnknownNameError, did_you_mean

PACKAGE = Path(__file__).resolve().parents[1]
LOCK = "requirements.lock"
RAY_LOCK = "requirements-ray.lock"
ONNX_LOCK = "requirements-onnx.lock"


def resource(*parts: str) -> Path:
    """Return the file or folder that ships with the project, such as ``resource("configs")``.

    Raises:
        UnknownNameError: there is no such file; the message says what its folder holds.
    """
    # The lock ships in every installation, so it tells where the others are.
    root = PACKAGE if (PACKAGE / LOCK).is_file() else PACKAGE.parent
    path = root
    for part in parts:
        folder, path = path, path / part
        if not path.exists():
            there = sorted(entry.name for entry in _visible(folder))
            raise UnknownNameError(
                f"no {part!r} in {folder}.{did_you_mean(part, there)} "
                f"It holds: {', '.join(there) or 'nothing'}."
            )
    return path


def find_config(name: Path) -> Path:
    """Return ``name`` if there is such a file, else the shipped config of that name.

    Shipped configs are named as in the tree (``configs/search/demo.yaml``) or without the
    first folder (``search/demo.yaml``), so the same command works from every folder.

    Raises:
        ConfigError: neither is there; the message names the shipped config that is nearest, or
            what the one of that name is called now.
    """
    try:
        if name.is_file():
            return name
    except OSError as error:  # too long a name, or a folder that may not be entered
        raise ConfigError(f"cannot read the config {str(name)[:80]!r}: {error.strerror}") from None
    shipped = shipped_configs()
    asked = name.as_posix().removeprefix("configs/")
    if asked in shipped:
        return shipped[asked]
    if asked in (moved := _moved_configs()):
        raise ConfigError(f"config {str(name)!r} is called {moved[asked]} now; give that name")
    problem = "is a folder, not a YAML file" if name.is_dir() else "is not there"
    # What stands in other people's folders is compared by its last two names.
    hint = did_you_mean(asked, shipped) or did_you_mean("/".join(name.parts[-2:]), shipped)
    raise ConfigError(
        f"config {str(name)!r} {problem}.{hint} "
        f"Give a path, or one that ships with AutoDL: {', '.join(shipped) or 'none'}."
    )


def shipped_configs(*folders: str) -> dict[str, Path]:
    """The configs that ship, by their names such as ``search/demo.yaml``, in order of the names.

    Args:
        folders: of ``configs/``, in the order wanted; all of them if none is given.
    """
    root = resource("configs")
    return {
        path.relative_to(root).as_posix(): path
        for folder in folders or ("",)
        for path in sorted((root / folder).rglob("*.y*ml"))
        if path.is_file()
    }


def config_lines(*folders: str) -> list[str]:
    """Each shipped config's name and the first line of the comment that it begins with."""
    shipped = shipped_configs(*folders)
    width = max(map(len, shipped), default=0)
    return [f"{name:{width}}  {_first_comment(path)}".rstrip() for name, path in shipped.items()]


def _first_comment(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    return line.lstrip("# ").rstrip() if line.startswith("#") else ""


def _moved_configs() -> dict[str, str]:
    """New names of shipped configs by the old ones."""
    path = resource("configs") / "moved.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return dict(line.split() for line in lines if not line.startswith("#"))


def install_command(lock: str = LOCK) -> str:
    """The one command that installs everything: Paddle, PARL and the rest, as tested together.

    With another ``lock`` (RAY_LOCK, ONNX_LOCK), what that adds to it.
    """
    path = shlex.quote(str(resource(lock)))
    return f"{shlex.quote(sys.executable)} -m pip install --no-deps -r {path}"


def _visible(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return ()
    return (entry for entry in folder.iterdir() if not entry.name.startswith((".", "__")))
