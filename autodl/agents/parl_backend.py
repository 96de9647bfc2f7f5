"""The one place that imports PARL: it must be told its backend first.

PARL's import forks a server and a process that look for frameworks. They end with this process if
a kill comes during the import; else the server would stay for ever, with all handles it inherits.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from autodl.errors import MissingPackageError
from autodl.system.resources import install_command

os.environ["PARL_BACKEND"] = "paddle"  # without it, PARL looks for the long-gone paddle.fluid

_PR_SET_PDEATHSIG = 1  # prctl(2): which signal a process gets when its parent has ended
_importing = False


@contextmanager
def _children_end_with_us() -> Iterator[None]:
    """What is forked in the block ends when this process does; on Linux, elsewhere nothing."""
    if sys.platform != "linux":
        yield
        return
    global _importing
    parent, libc = os.getpid(), ctypes.CDLL(None)

    def follow() -> None:
        if _importing:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it had ended before
                os._exit(1)

    os.register_at_fork(after_in_child=follow)  # for good, so that a flag has to end it
    _importing = True
    try:
        yield
    finally:
        _importing = False


try:
    # PARL announces its command line and backend, and its use of pkg_resources; nobody asked
    with redirect_stdout(io.StringIO()), warnings.catch_warnings(), _children_end_with_us():
        warnings.simplefilter("ignore")
        from parl import Agent, Algorithm, Model
        from parl.algorithms import DDPG
except ImportError as error:
    raise MissingPackageError(
        f"the agent needs PARL and Paddle ({error}); install them with: {install_command()}"
    ) from error

__all__ = ["DDPG", "Agent", "Algorithm", "Model"]
