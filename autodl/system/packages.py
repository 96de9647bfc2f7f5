"""Packages that the installer leaves to the user: said plainly when they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from autodl.errors import MissingPackageError
from autodl.system.resources import LOCK, install_command


def require(package: str, lock: str = LOCK) -> None:
    """Check that a package, which the ``lock`` brings, is installed, without importing it.

    Raises:
        MissingPackageError: it is not; the message holds the command that installs it.
    """
    if find_spec(package) is None:
        raise MissingPackageError(
            f"this needs the package {package!r}, which is not installed. Install it with:"
            f" {install_command(lock)}"
        )


def require_paddle() -> None:
    """Import Paddle, or raise an error that helps.

    Raises:
        MissingPackageError: it is not installed, or cannot be imported.
    """
    require("paddle")
    try:
        import_module("paddle")
    except (ImportError, OSError) as error:
        raise MissingPackageError(
            f"Paddle is installed but cannot be imported ({' '.join(str(error).split())})."
            f" Install it anew with: {install_command()}"
        ) from error


@contextmanager
def told_if_missing() -> Iterator[None]:
    """Turn "No module named 'paddle'", raised inside, into the error that helps.

    Raises:
        MissingPackageError: Paddle is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "paddle":
            raise
        require("paddle")
        raise
