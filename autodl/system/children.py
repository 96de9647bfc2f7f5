"""What Python processes that are started from here import, and from where.

``PYTHONPATH`` stands before Python's own library. The folder that the package was installed to
must therefore not go in there: any old back-port beside it (``dataclasses.py``, ``typing.py``)
would take the place of Python's own module.
"""

from __future__ import annotations

import os
import site
import sys

from autodl.system.resources import PACKAGE

# sets the path before anything else is imported; its arguments: MODULE:FUNCTION, a number, the path
_START = (
    "import sys; where, number, *sys.path = sys.argv[1:]; from importlib import import_module;"
    " module, _, name = where.partition(':'); getattr(import_module(module), name)(int(number))"
)


def command(main: str, handle: int) -> list[str]:
    """The command of a Python process that imports from the same places as this one.

    Args:
        main: ``module:function``, called with ``handle``.
    """
    return [sys.executable, "-P", "-c", _START, main, str(handle), *import_path()]


def import_path() -> list[str]:
    """This process's own import path, in its order.

    Without the empty entry that stands for whatever the working folder is: a ``random.py`` there
    must not stand in for Python's own.
    """
    path = [entry for entry in sys.path if entry]
    return path if str(PACKAGE.parent) in path else [*path, str(PACKAGE.parent)]


def python_path(before: str) -> str:
    """``PYTHONPATH`` for processes that others start: ``before``, and this package behind it.

    What Python finds by itself, since it is installed, is not named.
    """
    parent = str(PACKAGE.parent)
    installed = parent in (*site.getsitepackages(), site.getusersitepackages())
    named = [entry for entry in before.split(os.pathsep) if entry]
    return os.pathsep.join(named if installed or parent in named else [*named, parent])
