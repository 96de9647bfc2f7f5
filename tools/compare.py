#!/usr/bin/env python3
"""Compare strategies over several seeds: best so far, its spread, a paired test, one plot.

Examples:
    python tools/compare.py runs/agent-0 runs/agent-1 runs/random-0 runs/random-1 --out plot.svg
    python tools/compare.py --simulate search/cell-agent-tokens.yaml \\
        --simulate search/cell-agent-tokens.yaml -o Strategy.name=RandomSearch --seeds 20
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

from autodl.system.console import Parser, run_tool


class _Override(argparse.Action):
    """Adds a ``-o`` to the ``--simulate`` before it."""

    def __call__(self, parser, namespace, value, option=None):  # type: ignore[no-untyped-def]
        if not namespace.simulate:
            parser.error("give -o after the --simulate that it is for")
        namespace.simulate[-1].append(value)


class _Name(argparse.Action):
    """Names the ``--simulate`` before it."""

    def __call__(self, parser, namespace, value, option=None):  # type: ignore[no-untyped-def]
        if not namespace.simulate:
            parser.error("give --name after the --simulate that it is for")
        namespace.name = {**namespace.name, len(namespace.simulate) - 1: value}


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("runs", type=Path, nargs="*", metavar="RUN", help="folders of searches")
    add(
        "--simulate",
        action="append",
        default=[],
        metavar="CONFIG",
        type=lambda text: [text],
        help="search in memory with this config, whose evaluator trains nothing; repeatable",
    )
    add("-o", "--override", action=_Override, metavar="Section.key=value", help="for that config")
    add("--name", action=_Name, default={}, help="what to call that search in table and plot")
    add("--seeds", type=int, default=10, metavar="N", help="seeds to simulate")
    add("--first-seed", type=int, default=0, metavar="N", help="the first of them")
    add("--trials", type=int, default=200, metavar="N", help="trials of a simulated search")
    add("--out", type=Path, metavar="FILE", help="plot to write: .svg or .png")
    add("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if not args.runs and not args.simulate:
        parser.error("give run folders, or --simulate CONFIG")
    if args.seeds < 1 or args.trials < 1:
        parser.error("--seeds and --trials must be at least 1")
    return run_tool(lambda: compare(args))


def compare(args: argparse.Namespace) -> None:
    """Collect the searches, print the table, draw the plot."""
    from autodl.studies.strategies import table as comparison

    searches = comparison.read_searches(args.runs)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    for position, (config, *overrides) in enumerate(args.simulate):
        name = args.name.get(position, " ".join([Path(config).stem, *overrides]))
        searches += comparison.simulate_searches(
            config, overrides, trials=args.trials, seeds=seeds, name=name
        )
    result = comparison.summary(searches)
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(comparison.summary_lines(result)))
    if args.out is not None:
        from autodl.drawing.curves import draw_comparison
        from autodl.drawing.figures import save_figure

        save_figure(draw_comparison(comparison.group_searches(searches)), args.out)


if __name__ == "__main__":
    sys.exit(main())
