#!/usr/bin/env python3
"""Say what happened in a run: best trials, failures; as text, JSON, HTML, table or drawing.

Examples:
    python tools/report.py runs/demo --top 5
    python tools/report.py runs/demo --html demo.html
    python tools/report.py runs/table --csv cells3.csv           # to search in by TableEvaluator
    python tools/report.py runs/broken --salvage                 # whose trials.sqlite is damaged
    python tools/report.py runs/demo/best.json --out best.svg --title "reward 0.41"
    python tools/report.py models/*/architecture.json --out gallery.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import _start

from autodl.system.console import add_plugin_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    add = parser.add_argument
    add(
        "paths",
        type=Path,
        nargs="+",
        metavar="RUN|FILE",
        help="folder of a search; with --out: architectures (RUN/best.json), of which several are"
        " drawn under the names of their folders",
    )
    add("--top", type=int, default=10, metavar="N", help="best trials to list")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--html", type=Path, metavar="FILE", help="write one HTML file")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write all architectures' results")
    form.add_argument(
        "--salvage", action="store_true", help="save what can be read of a damaged trials.sqlite"
    )
    form.add_argument("--out", type=Path, metavar="FILE", help="drawing to write: .svg or .png")
    add("--importance", action="store_true", help="say which decisions mattered for the reward")
    add("--title", default="", help="of the drawing of a single architecture")
    add_plugin_argument(parser)
    args = parser.parse_args(argv)
    if args.top < 1:
        parser.error(f"--top must be at least 1, got {args.top}")
    if args.out is None and len(args.paths) > 1:
        parser.error("give one RUN, or --out FILE to draw several architectures")
    if args.title and len(args.paths) > 1:
        parser.error("--title is for a single architecture; several are named after their folders")
    work = {
        "salvage": args.salvage,
        "table": args.csv is not None,
        "draw": args.out is not None,
    }
    chosen = next((name for name, wanted in work.items() if wanted), "report")
    return run_tool(lambda: with_plugins(args, WORK[chosen]))


def with_plugins(args: argparse.Namespace, work: Callable[[argparse.Namespace], None]) -> None:
    """Do one of the things below, where plugins are that have moved since."""
    from autodl.config.plugins import import_plugins

    import_plugins(args.plugin)
    work(args)


def report(args: argparse.Namespace) -> None:
    """Read the run and print it."""
    from autodl.reports.run import read_run, summary_lines

    content = read_run(args.paths[0])
    if args.importance:
        from autodl.reports.importance import run_importance

        content["importance"] = run_importance(content, args.paths[0])
    if args.html is not None:
        from autodl.reports.html_report import html_report
        from autodl.system.files import write_text

        write_text(args.html, html_report(content, top=args.top))
        print(f"wrote {args.html}")
    elif args.json:
        print(json.dumps(content, indent=2))
    else:
        print("\n".join(summary_lines(content, args.top)))


def table(args: argparse.Namespace) -> None:
    """Write the results of a run as a table in which searches can be repeated in a second."""
    from contextlib import closing

    from autodl.evaluation.table import write_table
    from autodl.reports.run import refuse_training
    from autodl.runs.folder import TRIALS
    from autodl.runs.store import TrialStore

    refuse_training(args.paths[0])
    with closing(TrialStore(args.paths[0] / TRIALS, read_only=True)) as store:
        count = write_table(store.trials(), args.csv)
    print(f"wrote {args.csv}: {count} architectures")


def salvage(args: argparse.Namespace) -> None:
    """Put a salvaged store in the place of a damaged one, and say what is in it."""
    from autodl.runs.folder import TRIALS
    from autodl.runs.salvage import salvage_run

    run = args.paths[0]
    kept, lost, damaged = salvage_run(run)
    print(
        f"kept {kept} trials in {run / TRIALS}; {lost} below the last of them are lost, to be run"
        " again"
    )
    print(f"the damaged file is {damaged}; the search goes on with --resume")


def draw(args: argparse.Namespace) -> None:
    """Draw architectures, and say where the drawing is."""
    from autodl.drawing.cells import draw_gallery
    from autodl.drawing.figures import save_figure
    from autodl.spaces.codec import load_architecture
    from autodl.spaces.fixed import FixedArchitecture

    several = len(args.paths) > 1
    entries = [
        (path.absolute().parent.name if several else args.title, load_architecture(path))
        for path in args.paths
    ]
    drawn = [entry for entry in entries if not isinstance(entry[1], FixedArchitecture)]
    if several and drawn and len(drawn) < len(entries):
        fixed = (name for name, each in entries if isinstance(each, FixedArchitecture))
        print(f"left out, since they have no architecture of their own: {', '.join(fixed)}")
        entries = drawn
    save_figure(draw_gallery(entries), args.out)
    print(f"drew {args.out}")


WORK = {"report": report, "table": table, "salvage": salvage, "draw": draw}


if __name__ == "__main__":
    sys.exit(main())
