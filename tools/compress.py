#!/usr/bin/env python3
"""Compress a trained network: bits by layer, fine-tuning, one packed file.

Examples:
    python tools/compress.py -c compress/bayesian.yaml --model runs/best/trial-0007 --out runs/small
    python tools/compress.py -c compress/uniform.yaml --model NAME --out runs/even -o Data.path=...
    python tools/compress.py -c study/bits.yaml --model runs/best --out runs/study --study
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import (
    Parser,
    add_config_arguments,
    add_resume_arguments,
    print_config,
    run_tool,
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument(
        "--model",
        metavar="NAME_OR_RUN",
        help="a released network, or a folder of tools/train.py: of one network, or of several, of"
        " which the best is taken",
    )
    parser.add_argument("--out", type=Path, help="folder to make; the network's own is only read")
    add_resume_arguments(parser, "go on with what is in --out")
    parser.add_argument(
        "--study", action="store_true", help="compare with uniform bits and with a search for bits"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if not args.print_config and (args.model is None or args.out is None):
        parser.error("give --model NAME_OR_RUN and --out FOLDER")
    return run_tool(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Compress, or compare, and say what came of it."""
    from autodl.jobs.compress.config import load_compress
    from autodl.jobs.compress.result import result_lines
    from autodl.jobs.compress.run import compress
    from autodl.runs.folder import accept_changed_plugins
    from autodl.studies.bits.study import study, study_lines
    from autodl.trial import TrialFailure

    config = load_compress(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())

    if args.accept_changed_plugins:
        accept_changed_plugins(args.out, config.general.plugins)

    def progress(line: str) -> None:
        if not args.json:
            print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] autodl INFO: {line}", flush=True)

    try:
        if args.study:
            result = study(config, args.model, args.out, resume=args.resume, progress=progress)
            lines = study_lines(result)
        else:
            result = compress(config, args.model, args.out, resume=args.resume, progress=progress)
            lines = result_lines(result)
    except TrialFailure as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(result) if args.json else "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
