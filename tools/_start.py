"""What every tool does first: one thread a process, the package beside it found, its parser."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# before NumPy and Paddle are imported: one thread a process, as trials run side by side
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():  # a checkout; installed tools are inside the package
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser


def parser(docstring: str | None, epilog: str | None = None) -> Parser:
    """A parser of arguments that describes its tool by the first line of the tool's docstring."""
    return Parser(description=(docstring or "").partition("\n")[0], epilog=epilog)
