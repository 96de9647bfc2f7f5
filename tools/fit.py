#!/usr/bin/env python3
"""Make a deployed network out of a folder of pictures, within so many minutes.

Examples:
    python tools/fit.py pictures/ --minutes 30 --out model
    python tools/fit.py pictures/ --minutes 60 --out model --resume     # another hour on top
"""

from __future__ import annotations

import time

BEGAN = time.monotonic()  # imports count, too

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import run_tool, tell

LAYOUT = (
    "The folder has a sub-folder of pictures for each class; or train/ and test/ (training, val,"
    " valid, validation, dev, testing) with such sub-folders. Without a test part a fifth of each"
    " class becomes it; held-out pictures come from valid/ beside test/, else from the training"
    " part. Ctrl-C keeps the best so far."
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__, LAYOUT)
    add = parser.add_argument
    add("pictures", type=Path, help="folder of pictures")
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder to make")
    add("--minutes", type=float, default=30.0, help="for all of it, imports included (30)")
    add("--image-size", type=int, metavar="SIDE", help="in pixels; default: it is chosen")
    add("--no-mirror", action="store_true", help="mirror images show something else: letters, ...")
    add("--scratch", action="store_true", help="train on no released network's weights")
    add("--seed", type=int, default=0, help="of everything random (0)")
    add("--device", default="auto", help="auto, cpu, gpu or gpu:N")
    add("--resume", action="store_true", help="go on, or with more minutes on top")
    args = parser.parse_args(argv)
    return run_tool(lambda: fit(args))


def fit(args: argparse.Namespace) -> int:
    """Do it, and say what came of it."""
    from autodl.jobs.fit.config import fit_config
    from autodl.jobs.fit.run import run_fit

    config = fit_config(
        args.pictures,
        seed=args.seed,
        device=args.device,
        minutes=args.minutes,
        image_size=args.image_size,
        mirror=not args.no_mirror,
        released=not args.scratch,
    )
    fitted = run_fit(config, args.out, began=BEGAN, resume=args.resume, tell=tell)
    from autodl.jobs.fit.finish import DEPLOYED, REPORT, next_lines
    from autodl.release.network import CARD

    test = fitted.metrics["test"]
    low, high = test["interval"]
    print(f"test accuracy {test['accuracy']:.4f} (95 %: {low:.4f} to {high:.4f}),", end=" ")
    print(f"balanced {test['balanced_accuracy']:.4f}, {test['pictures']} pictures")
    print(f"report: {args.out / REPORT}, card: {args.out / CARD}, deployed: {args.out / DEPLOYED}")
    print("next:", *next_lines(args.out, args.pictures), sep="\n  ")
    return 130 if fitted.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
