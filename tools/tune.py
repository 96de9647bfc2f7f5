#!/usr/bin/env python3
"""Tune a strategy's options on simulated searches; report the best on seeds it was not tuned on.

Example:
    python tools/tune.py -c search/cell-agent-table.yaml --seeds 100 --trials 200 \\
        --grid Strategy.learning_rate=0.001,0.005,0.02 --grid Strategy.batch_size=5,10
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

from autodl.system.console import Parser, add_override_argument, run_tool


def _axis(text: str) -> tuple[str, list[str]]:
    key, separator, values = text.partition("=")
    if not separator or "." not in key or not all(values.split(",")):
        raise argparse.ArgumentTypeError(f"expected Section.key=value,value,... got {text!r}")
    return key, values.split(",")


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("-c", "--config", required=True, metavar="CONFIG", help="a YAML file or a shipped one")
    add_override_argument(parser, "override one key in every search; repeatable")
    add("--grid", type=_axis, action="append", default=[], help="Section.key=value,value,...")
    add("--seeds", type=int, default=100, metavar="N", help="half to tune on, half to report")
    add("--trials", type=int, default=200, metavar="N", help="trials of a search")
    add("--workers", type=int, default=1, metavar="N", help="processes")
    add("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if args.seeds < 2 or args.trials < 1 or args.workers < 1:
        parser.error("--seeds must be at least 2, --trials and --workers at least 1")
    return run_tool(lambda: report(args))


def report(args: argparse.Namespace) -> None:
    """Tune, then compare the best choice, the config as it stands and random search."""
    from autodl.studies.strategies import table as comparison
    from autodl.studies.strategies.tuning import Candidate, tune

    def progress(done: int, count: int, latest: Candidate) -> None:
        line = f"{done}/{count} {latest.score:.5f} {' '.join(latest.overrides)}"
        print(line, file=sys.stderr, flush=True)

    half = args.seeds // 2
    found = tune(
        args.config,
        args.override,
        dict(args.grid),
        trials=args.trials,
        seeds=range(half),
        workers=args.workers,
        progress=progress,
    )
    compared = {
        "tuned": [*args.override, *found[0].overrides],
        "as configured": args.override,
        "RandomSearch": [*args.override, "Strategy={name: RandomSearch}"],
    }
    searches = [
        search
        for name, overrides in compared.items()
        for search in comparison.simulate_searches(
            args.config, overrides, trials=args.trials, seeds=range(half, args.seeds), name=name
        )
    ]
    result = {
        "tuned_on_seeds": [0, half - 1],
        "reported_on_seeds": [half, args.seeds - 1],
        "candidates": [{"overrides": c.overrides, "score": c.score} for c in found],
        **comparison.summary(searches),
    }
    if args.json:
        print(json.dumps(result))
        return
    print(f"tuned on seeds 0 to {half - 1}: mean best so far over {args.trials} trials")
    for candidate in found[:10]:
        print(f"  {candidate.score:.5f} {' '.join(candidate.overrides)}")
    print(f"reported on seeds {half} to {args.seeds - 1}:")
    print("\n".join(comparison.summary_lines(result)))


if __name__ == "__main__":
    sys.exit(main())
