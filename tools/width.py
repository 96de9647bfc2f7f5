#!/usr/bin/env python3
"""Search for the channel numbers of a network under a budget, with one supernet.

Examples:
    python tools/width.py search -c configs/supernet/width-demo.yaml --out runs/width
    python tools/train.py -c configs/train/width-demo.yaml \\
        --architecture runs/width/architecture.json --out runs/width-trained
    python tools/width.py anneal -c configs/supernet/width-demo.yaml
    python tools/width.py study -c configs/study/width.yaml --part transition --seed 0 --out runs/s
    python tools/width.py summary --out runs/s
    python tools/width.py alignment --out runs/s
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import (
    Parser,
    add_config_arguments,
    add_override_argument,
    add_resume_arguments,
    print_config,
    run_tool,
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    search = commands.add_parser("search", help="train a supernet and decode its best widths")
    add_config_arguments(search)
    search.add_argument("--out", type=Path, help="run folder, made if missing")
    add_resume_arguments(search, "go on with the run in the folder")
    anneal = commands.add_parser("anneal", help="say how sharing will be annealed; train nothing")
    add_config_arguments(anneal)
    study = commands.add_parser("study", help="one part of a study; resumed if it is there")
    add_config_arguments(study)
    study.add_argument("--part", required=True, help="a mode's name, or standalone")
    study.add_argument("--seed", type=int, default=0)
    study.add_argument("--out", type=Path, required=True, help="folder of the whole study")
    summary = commands.add_parser("summary", help="the tables of a study, as far as it is")
    summary.add_argument("--out", type=Path, required=True, help="folder of the study")
    summary.add_argument("--plot", type=Path, metavar="FILE", help="to write: .svg or .png")
    alignment = commands.add_parser("alignment", help="gradients of a study's candidates compared")
    alignment.add_argument("--out", type=Path, required=True, help="folder of the study")
    add_override_argument(alignment, "Data.path, where the pictures are now")
    args = parser.parse_args(argv)
    if args.command == "search" and args.out is None and not args.print_config:
        parser.error("give a run folder: --out FOLDER")
    run = {
        "search": run_search,
        "anneal": run_anneal,
        "study": run_study,
        "summary": show,
        "alignment": show_alignment,
    }
    return run_tool(lambda: run[args.command](args))


def tell(line: str) -> None:
    print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] autodl INFO: {line}", flush=True)


def run_search(args: argparse.Namespace) -> int:
    from autodl.jobs.width.config import load_width
    from autodl.jobs.width.run import run_width_search
    from autodl.runs.folder import accept_changed_plugins

    config = load_width(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    if args.accept_changed_plugins:
        accept_changed_plugins(args.out, config.general.plugins)
    result = run_width_search(config, args.out, resume=args.resume, progress=tell)
    print(f"best widths: {' '.join(map(str, result.architecture.channels))}")
    print(f"their cost:  {result.macs:,} MACs ({config.width.convention})")
    if result.accuracy is not None:
        print(f"accuracy with shared weights, held-out: {result.accuracy:.4f}")
    print(f"train them:  autodl train --architecture {args.out / 'architecture.json'} ...")
    return 0


def run_anneal(args: argparse.Namespace) -> int:
    from autodl.jobs.width.config import load_width
    from autodl.jobs.width.run import preview

    config = load_width(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    print(preview(config))
    return 0


def run_study(args: argparse.Namespace) -> int:
    from autodl.studies.widths.study import load_study, run_part

    config = load_study(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    run_part(config, args.part, args.seed, args.out, progress=tell)
    return 0


def show(args: argparse.Namespace) -> int:
    from autodl.studies.widths.table import read_study, study_text

    study = read_study(args.out)
    if args.plot is not None:
        from autodl.drawing.figures import save_figure
        from autodl.studies.widths.plot import draw_modes

        save_figure(draw_modes(study), args.plot)
    print(study_text(study))
    return 0


def show_alignment(args: argparse.Namespace) -> int:
    from autodl.studies.widths.table import align

    print(align(args.out, args.override))
    return 0


if __name__ == "__main__":
    sys.exit(main())
