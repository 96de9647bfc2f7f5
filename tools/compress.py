#!/usr/bin/env python3
"""Compress a trained network: bits by layer, fine-tuning, one packed file.

Examples:
    python tools/compress.py -c compress/bayesian.yaml --model runs/best/trial-0007 --out runs/small
    python tools/compress.py -c compress/uniform.yaml --model NAME --out runs/even -o Data.path=...
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import (
    add_config_arguments,
    add_resume_arguments,
    check_resume_arguments,
    print_config,
    run_tool,
    tell,
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    add_config_arguments(parser, "compress")
    parser.add_argument(
        "--model",
        metavar="NAME_OR_RUN",
        help="a released network, or a folder of autodl train: of one network, or of several, of"
        " which the best is taken",
    )
    parser.add_argument("--out", type=Path, help="folder to make; the network's own is only read")
    add_resume_arguments(parser, "go on with what is in --out")
    parser.add_argument("--study", action="store_true", help=argparse.SUPPRESS)  # what it was
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    check_resume_arguments(parser, args)
    if args.study:
        parser.error(
            "a study is a verb of its own now; type: autodl study -c study/bits.yaml -o"
            f" Study.source={args.model or 'NAME_OR_RUN'} --out {args.out or 'FOLDER'}"
        )
    if not args.print_config and (args.model is None or args.out is None):
        parser.error("give --model NAME_OR_RUN and --out FOLDER")
    return run_tool(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Compress, and say what came of it."""
    from autodl.jobs.compress.config import load_compress
    from autodl.jobs.compress.result import result_lines
    from autodl.jobs.compress.run import compress
    from autodl.trial import TrialFailure

    config = load_compress(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())

    progress = (lambda line: None) if args.json else tell
    try:
        result = compress(
            config,
            args.model,
            args.out,
            resume=args.resume,
            accept_changed_plugins=args.accept_changed_plugins,
            progress=progress,
        )
    except TrialFailure as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(result) if args.json else "\n".join(result_lines(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
