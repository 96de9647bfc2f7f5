#!/usr/bin/env python3
"""Do a study (one job, varied, over seeds) or sum up finished ones: a table, tests and a plot.

Examples:
    python tools/study.py -c study/table.yaml --out runs/table-study      # again: goes on
    python tools/study.py runs/table-study --columns reward,accuracy
    python tools/study.py runs/agent-0 runs/agent-1 runs/random-0 runs/random-1 --plot plot.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import add_config_arguments, print_config, run_tool, tell

FOLDERS = (
    "Folders are those of studies, of studies that `compress --study` and `width study` of the"
    " version before made, or of searches, which are grouped by strategy. Searches are compared"
    " after as many trials as all of them have. What the table says: docs/studies.md."
)

OF_DOING = ("out", "only", "workers")


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__, FOLDERS)
    add = parser.add_argument
    add("folders", type=Path, nargs="*", metavar="FOLDER", help="finished ones, to sum up")
    add_config_arguments(parser, "study", required=False)
    add("--out", type=Path, metavar="FOLDER", help="of the study; runs that are there go on")
    add("--only", nargs="+", metavar="RUN", help="runs to do, such as agent-0")
    add("--workers", type=int, metavar="N", help="runs side by side; else 1")
    add("--then", choices=["alignment"], help="of a study of widths by the version before")
    add("--columns", type=_words, metavar="A,B", help="of the table, in place of the usual ones")
    add("--plot", type=Path, metavar="FILE", help="to write, .svg or .png; else OUT/plot.svg")
    add("--y", metavar="COLUMN", help="of the plot: final values of this column")
    add("--x", metavar="COLUMN", help="of the plot: against this one")
    add("--title", default="", help="of the plot")
    add("--json", action="store_true", help="print one JSON object, with every number")
    args = parser.parse_args(argv)
    if bool(args.folders) == bool(args.config):
        parser.error("give -c CONFIG to do a study, or the FOLDERs of finished ones")
    if args.config and args.out is None and not args.print_config:
        parser.error("give the folder of the study: --out FOLDER")
    if args.folders and (idle := [name for name in OF_DOING if getattr(args, name) is not None]):
        parser.error(f"--{idle[0]} is for doing a study by -c CONFIG; leave it out")
    if args.workers is not None and args.workers < 1:
        parser.error("--workers must be at least 1")
    return run_tool(lambda: do(args) if args.config else sum_up(args, args.folders))


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def do(args: argparse.Namespace) -> int:
    """Do what is not done yet of a study, and sum it up."""
    from autodl.studies.run import run_study, silent
    from autodl.studies.study import Study

    if args.plot is not None:
        from autodl.drawing.figures import check_figure

        check_figure(args.plot)
    study = Study.load(args.config, args.override)
    if args.print_config:
        return print_config(study.to_plain())
    say = silent if args.json else tell
    failures = run_study(study, args.out, only=args.only or [], workers=args.workers or 1, tell=say)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    args.plot = args.plot or args.out / "plot.svg"
    return sum_up(args, [args.out]) or (1 if failures else 0)


def sum_up(args: argparse.Namespace, folders: Sequence[Path]) -> int:
    """Print the table of studies or searches, and draw them."""
    from autodl.studies.earlier import align_widths
    from autodl.studies.reading import read_results
    from autodl.studies.table import check_columns, study_table, table_lines
    from autodl.studies.tuning import read_tuning, tuning_lines

    for folder in folders if args.then else ():
        align_widths(folder, args.override, tell)
    results = read_results(folders)
    table = study_table(results)
    asked = [*(args.columns or ()), *(name for name in (args.x, args.y) if name)]
    check_columns(table, asked)
    if args.plot is not None:
        from autodl.drawing.figures import save_figure
        from autodl.studies.plot import draw_study

        save_figure(draw_study(results, args.title, y=args.y, x=args.x), args.plot)
    tuning = read_tuning(folders[0])
    if args.json:
        print(json.dumps({**table, "tuning": tuning}))
    else:
        columns = args.columns or results.columns, args.columns or results.compared
        lines = table_lines(table, *columns)
        drawn = [] if args.plot is None else [f"plot: {args.plot}"]
        print("\n".join([*tuning_lines(tuning), *lines, *drawn]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
