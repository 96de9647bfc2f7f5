#!/usr/bin/env python3
"""Say what is on pictures, by a released network or by all of them together.

Examples:
    python tools/infer.py cat.png dog.jpg --model NAME
    python tools/infer.py pictures/ --ensemble --json
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.console import Parser, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "pictures", type=Path, nargs="+", metavar="PICTURE", help="a file, or a folder of files"
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--model", metavar="NAME", help="a released network")
    who.add_argument("--ensemble", action="store_true", help="the released ensemble")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="classes to list")
    parser.add_argument("--json", action="store_true", help="print one JSON object per picture")
    args = parser.parse_args(argv)
    return run_tool(lambda: infer(args))


def infer(args: argparse.Namespace) -> None:
    """Predict, and print a line for each picture."""
    from autodl.data.picture import picture_files
    from autodl.release import Ensemble, load

    files = picture_files(args.pictures)
    predictor = Ensemble.released() if args.ensemble else load(args.model)
    prediction = predictor.predict(files)
    agreement = prediction.agreement
    width = max(len(str(file)) for file in files)
    for number, (file, top) in enumerate(zip(files, prediction.top(args.top), strict=True)):
        share = None if agreement is None else float(agreement[number])
        if args.json:
            about = {} if share is None else {"agreement": share}
            print(json.dumps({"picture": str(file), "top": dict(top), **about}))
            continue
        words = ", ".join(f"{name} {chance:.1%}" for name, chance in top)
        print(f"{file!s:{width}}  {words}" + ("" if share is None else f"  ({share:.0%} agree)"))


if __name__ == "__main__":
    sys.exit(main())
