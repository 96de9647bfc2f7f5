#!/usr/bin/env python3
"""Fuse a trained network and write it for deployment: Paddle's inference format, and ONNX.

Examples:
    python tools/export_model.py runs/best/trial-0007 --out inference/trial-0007
    python tools/export_model.py --model NAME --out inference/NAME     # a released network
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import add_models_argument, run_tool

os.environ.setdefault("GLOG_minloglevel", "2")  # Paddle's remarks on its own static graphs


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    parser.add_argument(
        "source",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="of autodl train or compress: of one network, or several: the best is taken",
    )
    parser.add_argument("--model", metavar="NAME", help="in place of FOLDER, a released network")
    add_models_argument(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument(
        "--onnx", action="store_true", help="fail without the ONNX packages (else: leave ONNX out)"
    )
    parser.add_argument(
        "--repetitions", type=int, default=20, metavar="N", help="of every timing; 0: no timings"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if (args.source is None) == (args.model is None):
        parser.error("give either the FOLDER of a training or --model NAME")
    if args.repetitions < 0:
        parser.error(f"--repetitions must be at least 0, got {args.repetitions}")
    return run_tool(lambda: export_model(args))


def export_model(args: argparse.Namespace) -> None:
    """Export, and say what came of it."""
    from dataclasses import asdict

    from autodl.jobs.export import (
        describe,
        export,
        export_lines,
        export_network,
        latencies,
        latency_lines,
    )
    from autodl.release import load

    if args.model is None:
        exported = export(args.source, args.out, needs_onnx=args.onnx)
    else:
        released = load(args.model, models=args.models)
        exported = export_network(released, args.out, needs_onnx=args.onnx)
    if not args.json:
        print("\n".join(export_lines(exported)), flush=True)
    measured = latencies(exported, args.repetitions) if args.repetitions else {}
    if args.json:
        plain = {
            name: {str(size): asdict(latency) for size, latency in row.items()}
            for name, row in measured.items()
        }
        about = {"folder": str(exported.folder), **describe(exported)}
        print(json.dumps({**about, "latency_ms": plain}))
    elif measured:
        print("\n".join(latency_lines(measured, args.repetitions)))


if __name__ == "__main__":
    sys.exit(main())
