#!/usr/bin/env python3
"""Measure how fast the parts are on this machine, one thread to a process.

Example: python tools/bench.py agent --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import _start

from autodl.system.console import run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    parser.add_argument(
        "name",
        metavar="NAME",
        help="agent, token-count, evaluator, augment, search, strategies, reparam, width, paths,"
        " update, update-amp, bits; all: every one",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    return run_tool(lambda: bench(args))


def bench(args: argparse.Namespace) -> None:
    """Run the benchmark and print its numbers."""
    from autodl.errors import lookup
    from autodl.jobs.bench.parts import BENCHMARKS

    names = list(BENCHMARKS) if args.name == "all" else [args.name]
    results = {name: lookup(BENCHMARKS, name, "benchmark")() for name in names}
    if args.json:
        print(json.dumps(results if args.name == "all" else results[args.name]))
        return
    for name, numbers in results.items():
        print(name)
        for key, value in numbers.items():
            print(f"  {key}: {value}")


if __name__ == "__main__":
    sys.exit(main())
