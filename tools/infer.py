#!/usr/bin/env python3
"""Say what is on pictures, or what series are or become, by networks that were trained.

Examples:
    python tools/infer.py cat.png dog.jpg --model NAME
    python tools/infer.py cat.png --model runs/small             # what train or compress has left
    python tools/infer.py pictures/ --ensemble --json
    python tools/infer.py series.csv --run runs/best
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import add_models_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    parser.add_argument(
        "pictures",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a picture, or a folder of pictures; with --run .npz or .csv",
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--model", metavar="NAME", help="a released network, or a folder")
    who.add_argument(
        "--run", type=Path, metavar="FOLDER", help="of autodl train: a network for series"
    )
    who.add_argument("--ensemble", action="store_true", help="the released ensemble")
    add_models_argument(parser)
    parser.add_argument("--top", type=int, metavar="N", help="classes to list; default: 3 at most")
    parser.add_argument("--json", action="store_true", help="print one JSON object per picture")
    args = parser.parse_args(argv)
    if args.run and args.top is not None and args.top < 1:
        parser.error(f"--top must be at least 1, got {args.top}")
    return run_tool(lambda: infer_series(args) if args.run else infer(args))


def infer_series(args: argparse.Namespace) -> None:
    """Predict classes, or the next values, of the series in files, and print a line for each."""
    from autodl.trained.network import best_trained
    from autodl.trained.series import load_series_network

    network = load_series_network(best_trained(args.run))
    for file in args.pictures:
        for found in network.predict(file):
            if args.json:
                print(json.dumps(found))
            elif "top" in found:
                shown = list(found["top"].items())[: args.top or 3]
                words = ", ".join(f"{name} {chance:.1%}" for name, chance in shown)
                print(f"{file}  series {found['series']}  {words}")
            else:
                words = ", ".join(f"{name} {value:.6g}" for name, value in found["values"].items())
                print(f"{file}  {words}  ({network.record['ahead']} ahead)")


def infer(args: argparse.Namespace) -> None:
    """Predict, and print a line for each picture."""
    from autodl.data.picture import picture_files
    from autodl.errors import ConfigError
    from autodl.release import Ensemble, load

    files = picture_files(args.pictures)
    models = args.models
    predictor = Ensemble.released(models) if args.ensemble else load(args.model, models=models)
    known = len(predictor.classes)
    if args.top is not None and not 1 <= args.top <= known:
        raise ConfigError(f"--top {args.top}: there are {known} classes, give 1 to {known}")
    listed = args.top or min(3, known)
    prediction = predictor.predict(files)
    agreement = prediction.agreement
    width = max(len(str(file)) for file in files)
    for number, (file, top) in enumerate(zip(files, prediction.top(listed), strict=True)):
        share = None if agreement is None else float(agreement[number])
        if args.json:
            about = {} if share is None else {"agreement": share}
            print(json.dumps({"picture": str(file), "top": dict(top), **about}))
            continue
        words = ", ".join(f"{name} {chance:.1%}" for name, chance in top)
        print(f"{file!s:{width}}  {words}" + ("" if share is None else f"  ({share:.0%} agree)"))


if __name__ == "__main__":
    sys.exit(main())
