#!/usr/bin/env python3
"""Search for an architecture: propose, train, rank, and learn from it.

Example: python tools/search.py -c configs/search/demo.yaml --out runs/demo
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: one thread for each trial

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import (
    Parser,
    add_config_arguments,
    add_resume_arguments,
    print_config,
    run_tool,
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    add_config_arguments(parser)
    parser.add_argument("--out", type=Path, help="run folder, made if missing")
    add_resume_arguments(parser, "go on with the run that is in the folder")
    args = parser.parse_args(argv)
    if args.out is None and not args.print_config:
        parser.error("give a run folder: --out FOLDER")
    return run_tool(lambda: search(args))


def search(args: argparse.Namespace) -> int:
    """Run the search and say where its result is."""
    from autodl.jobs.search.parts import load_search
    from autodl.jobs.search.run import run_search
    from autodl.runs.folder import accept_changed_plugins
    from autodl.search.budget import INTERRUPTED
    from autodl.search.observers.progress import console_progress

    config = load_search(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    if args.accept_changed_plugins:
        accept_changed_plugins(args.out, config.general.plugins)
    progress = console_progress(sys.stdout)
    result = run_search(config, args.out, resume=args.resume, observers=[progress])
    if config.search.note:
        print(config.search.note.strip())
    interrupted = result.stopped == INTERRUPTED
    if result.stopped:
        print(f"stopped: {result.stopped}; the same command with --resume goes on")
    if result.exhausted:
        print(f"ended: {result.exhausted}")
    if result.best is None:
        print(f"no trial was completed; `autodl report {args.out}` says more")
        return 130 if interrupted else 1
    picture = f"{result.picture} and " if result.picture else ""
    print(f"best found: {picture}{args.out / 'best.json'}")
    print(f"its reward: {result.best.reward:.4f} (trial {result.best.id} of {result.finished})")
    if result.front is not None:
        print(f"best trade-offs: {result.front}")
    print(f"all trials: autodl report {args.out}")
    print(f"curves:     visualdl --logdir {args.out / 'vdl'} --language en")
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
