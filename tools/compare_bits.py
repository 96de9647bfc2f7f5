#!/usr/bin/env python3
"""Compare ways of choosing bits over the seeds of finished studies: a table and a plot.

Example:
    python tools/compare_bits.py runs/bits-0 runs/bits-1 runs/bits-2 --out bits.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("studies", nargs="+", type=Path, metavar="STUDY", help="folder of compress.py --study")
    add("--out", type=Path, metavar="FILE", help="plot to write: .svg or .png")
    add("--title", default="", help="of the plot")
    add("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    return run_tool(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Read the studies, print the table, draw the plot."""
    from autodl.studies.bits.table import read_studies, study_table, table_lines

    studies = read_studies(args.studies)
    if args.out is not None:
        from autodl.drawing.figures import save_figure
        from autodl.studies.bits.plot import draw_bits

        save_figure(draw_bits(studies, args.title), args.out)
    table = study_table(studies)
    print(json.dumps(table) if args.json else "\n".join(table_lines(table)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
