#!/usr/bin/env python3
"""Write the trials of a run as a CSV table in which searches can be repeated in a second.

Example: python tools/table.py runs/table --out configs/tables/cells3.csv
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a search")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV to write")
    args = parser.parse_args(argv)
    return run_tool(lambda: table(args))


def table(args: argparse.Namespace) -> None:
    """Read the run and write the table."""
    from contextlib import closing

    from autodl.evaluation.table import write_table
    from autodl.runs.folder import TRIALS
    from autodl.runs.store import TrialStore

    with closing(TrialStore(args.run / TRIALS, read_only=True)) as store:
        count = write_table(store.trials(), args.out)
    print(f"wrote {args.out}: {count} architectures")


if __name__ == "__main__":
    sys.exit(main())
