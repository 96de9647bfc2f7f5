#!/usr/bin/env python3
"""Draw an architecture's cells, or a gallery of several, as an SVG or PNG file.

Examples:
    python tools/draw.py runs/demo/best.json --out best.svg --title "reward 0.41"
    python tools/draw.py models/*/architecture.json --out gallery.svg
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments and draw; exit code 2 and one line if that fails."""
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "architectures",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="JSON files, such as RUN/best.json; several: under the names of their folders",
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write: .svg or .png")
    parser.add_argument("--title", default="", help="a caption above the cells of a single one")
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE", help="defines its operations"
    )
    args = parser.parse_args(argv)
    if args.title and len(args.architectures) > 1:
        parser.error("--title is for a single architecture; several are named after their folders")
    return run_tool(lambda: draw(args))


def draw(args: argparse.Namespace) -> None:
    """Draw what ``args`` ask for, and say where it is."""
    from autodl.config.plugins import import_plugins
    from autodl.drawing.cells import draw_gallery
    from autodl.drawing.figures import save_figure
    from autodl.spaces.codec import load_architecture

    import_plugins(args.plugin)
    several = len(args.architectures) > 1
    entries = [
        (path.absolute().parent.name if several else args.title, load_architecture(path))
        for path in args.architectures
    ]
    save_figure(draw_gallery(entries), args.out)
    print(f"drew {args.out}")


if __name__ == "__main__":
    sys.exit(main())
