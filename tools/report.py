#!/usr/bin/env python3
"""Say what happened in a run: its best trials, its failures, or everything as JSON or HTML.

Example: python tools/report.py runs/demo --top 5
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, add_plugin_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a search")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one HTML file")
    parser.add_argument("--top", type=int, default=10, metavar="N", help="best trials to list")
    add_plugin_argument(parser)
    args = parser.parse_args(argv)
    return run_tool(lambda: report(args))


def report(args: argparse.Namespace) -> None:
    """Read the run and print it."""
    from autodl.config.plugins import import_plugins
    from autodl.reports.run import read_run, summary_lines

    import_plugins(args.plugin)
    content = read_run(args.run)
    if args.html is not None:
        from autodl.reports.html_report import html_report
        from autodl.system.files import write_text

        write_text(args.html, html_report(content, top=args.top))
        print(f"wrote {args.html}")
    elif args.json:
        print(json.dumps(content, indent=2))
    else:
        print("\n".join(summary_lines(content, args.top)))


if __name__ == "__main__":
    sys.exit(main())
