#!/usr/bin/env python3
"""Measure trained networks on the test set, once; a second call repeats the record.

Example: python tools/eval.py runs/best/trial-0007 -o Data.path=cifar-10-python.tar.gz
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

from autodl.console import Parser, add_override_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="of tools/train.py")
    add_override_argument(
        parser, "Data.path=..., where the data are now, or Global.device=...; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per folder")
    args = parser.parse_args(argv)
    return run_tool(lambda: evaluate(args))


def evaluate(args: argparse.Namespace) -> None:
    """Measure every folder's network and print the results."""
    from autodl.data.load import public_name
    from autodl.final_test import measure_once

    for folder in args.folders:
        result = measure_once(folder, args.override)
        if args.json:
            print(json.dumps({"folder": str(folder), **result}))
            continue
        low, high = result["interval"]
        print(
            f"{folder}: test accuracy {result['accuracy']:.4f} (95 %: {low:.4f} to {high:.4f}),"
            f" loss {result['loss']:.4f}, {result['pictures']} pictures"
            f" of {public_name(result['data'])}"
        )
        if result["official"] is False:
            print("  the files are not the official ones: say so with the result")
        if result["on_record"]:
            print(f"  measured on {result['time']}; the test set was not read again")
        worst = sorted((v, k) for k, v in result["per_class"].items() if v is not None)
        print("  per class: " + ", ".join(f"{name} {value:.3f}" for value, name in worst))


if __name__ == "__main__":
    sys.exit(main())
