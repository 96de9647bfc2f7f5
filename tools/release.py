#!/usr/bin/env python3
"""Make a trained network, or an ensemble of released ones, into a release, or list what there is.

Examples:
    python tools/release.py runs/full/trial-0007 --name cell_a --found-by "..." -o Data.path=ARCHIVE
    python tools/release.py --ensemble cell_a cell_b mobile_a -o Data.path=ARCHIVE
    python tools/release.py --table
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy
os.environ.setdefault("GLOG_minloglevel", "2")  # Paddle's remarks on its own static graphs

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, add_models_argument, add_override_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "training", type=Path, nargs="?", metavar="FOLDER", help="of tools/train.py"
    )
    parser.add_argument("--name", help="of the release; its folder in --models")
    parser.add_argument("--found-by", metavar="TEXT", help="which search proposed it, for its card")
    parser.add_argument(
        "--ensemble", nargs="+", metavar="NAME", help="released networks to choose and weight from"
    )
    parser.add_argument("--table", action="store_true", help="print a table of what is released")
    add_models_argument(parser)
    parser.add_argument(
        "--repetitions", type=int, default=20, metavar="N", help="of every timing; 0: no timings"
    )
    add_override_argument(parser, "Data.path=..., where the data are now; repeatable")
    args = parser.parse_args(argv)
    wanted = (args.training is not None, args.ensemble is not None, args.table)
    if sum(wanted) != 1:
        parser.error("give either the FOLDER of a training, or --ensemble NAME ..., or --table")
    if args.training is not None and not (args.name and args.found_by):
        parser.error("a network needs --name NAME and --found-by TEXT")
    if args.training is not None and not re.fullmatch("[a-z][a-z0-9_]*", args.name):
        parser.error("--name is a small letter, then small letters, digits and _: paddle.hub's too")
    return run_tool(lambda: release(args))


def release(args: argparse.Namespace) -> None:
    """Publish, and say what came of it; or print the table."""
    if args.table:
        from autodl.release.overview import overview

        print(overview(args.models), end="")
        return
    from autodl.system.resources import resource

    models = args.models or resource("models")
    if args.ensemble is not None:
        from autodl.jobs.release.publish_ensemble import publish_ensemble

        made = publish_ensemble(args.ensemble, models, overrides=args.override)
        chosen = ", ".join(f"{name} x{count}" for name, count in made.members.items())
        print(f"wrote {models / 'ensemble.json'}: {chosen}")
        print(f"held-out accuracy {made.held_out.accuracy:.4f}")
        if made.test is not None:
            print(f"test accuracy {made.test.accuracy:.4f}")
        return
    from autodl.jobs.release.publish import publish

    published = publish(
        args.training,
        models / args.name,
        found_by=args.found_by,
        overrides=args.override,
        repetitions=args.repetitions,
    )
    print(f"wrote {published.folder}: held-out {published.metrics.held_out.accuracy:.4f}", end="")
    if published.metrics.test is None:
        print(f"; no test accuracy: run tools/eval.py {args.training} before releasing it")
    else:
        print(f", test {published.metrics.test.accuracy:.4f}")


if __name__ == "__main__":
    sys.exit(main())
