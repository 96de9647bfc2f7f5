"""Packages that the installer leaves to the user: said plainly when they are missing."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

from autodl.errors import MissingPackageError
from autodl.resources import install_command


def require(package: str) -> None:
    """Check that a package is installed, without importing it.

    Raises:
        MissingPackageError: it is not; the message holds the command that installs it.
    """
    if find_spec(package) is None:
        raise MissingPackageError(
            f"this needs the package {package!r}, which is not installed. Install it with:"
            f" {install_command()}"
        )


def require_paddle() -> None:
    """Check that Paddle is installed, and silence what it says at every import."""
    require("paddle")
    warnings.filterwarnings("ignore", message="No ccache found")
    warnings.filterwarnings("ignore", message="When training, we now always track")
