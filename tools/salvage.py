#!/usr/bin/env python3
"""Save what can be read of a run whose trials.sqlite is damaged; the damaged file is kept.

Example: python tools/salvage.py runs/demo
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, add_plugin_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a search")
    add_plugin_argument(parser)
    args = parser.parse_args(argv)
    return run_tool(lambda: salvage_run(args))


def salvage_run(args: argparse.Namespace) -> None:
    """Put a salvaged store in the place of the damaged one, and say what is in it."""
    from autodl.config.plugins import import_plugins
    from autodl.errors import StoreError
    from autodl.runs.folder import TRIALS, import_run_plugins, locked, read_manifest
    from autodl.runs.salvage import salvage

    import_plugins(args.plugin)
    read_manifest(args.run)  # that of a run, or an error
    import_run_plugins(args.run)
    trials, aside = args.run / TRIALS, args.run / f"{TRIALS}.salvaged"
    damaged = args.run / f"{TRIALS}.damaged"
    try:
        with locked(args.run):
            if damaged.exists():
                raise StoreError(f"{damaged} is there already; move it away first")
            kept, lost = salvage(trials, aside)
            for end in ("-wal", "-shm", ""):  # a log that stayed would be taken for the new file's
                if (part := trials.with_name(trials.name + end)).exists():
                    part.rename(damaged.with_name(damaged.name + end))
            aside.rename(trials)
    except OSError as error:
        raise StoreError(f"cannot write to {args.run}: {error.strerror}") from None
    print(
        f"kept {kept} trials in {trials}; {lost} below the last of them are lost, to be run again"
    )
    print(f"the damaged file is {damaged}; the search goes on with --resume")


if __name__ == "__main__":
    sys.exit(main())
