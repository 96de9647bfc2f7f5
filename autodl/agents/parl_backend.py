"""The one place that imports PARL: it must be told its backend first."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import redirect_stdout

from autodl.errors import MissingPackageError
from autodl.system.resources import install_command

os.environ["PARL_BACKEND"] = "paddle"  # without it, PARL looks for the long-gone paddle.fluid

try:
    # PARL announces its command line and backend, and its use of pkg_resources; nobody asked
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from parl import Agent, Algorithm, Model
        from parl.algorithms import DDPG
except ImportError as error:
    raise MissingPackageError(
        f"the agent needs PARL and Paddle ({error}); install them with: {install_command()}"
    ) from error

__all__ = ["DDPG", "Agent", "Algorithm", "Model"]
