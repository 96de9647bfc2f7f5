#!/usr/bin/env python3
"""Search for an architecture: propose, train, rank, and learn from it.

Examples:
    python tools/search.py -c search/demo.yaml --out runs/demo
    python tools/search.py -c supernet/width-demo.yaml --out runs/width      # with one supernet
    python tools/search.py -c supernet/width-demo.yaml --anneal
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import (
    add_config_arguments,
    add_resume_arguments,
    check_resume_arguments,
    print_config,
    run_tool,
    tell,
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    add_config_arguments(parser, "search", "supernet")
    parser.add_argument("--out", type=Path, help="run folder, made if missing")
    add_resume_arguments(parser, "go on with the run that is in the folder")
    parser.add_argument(
        "--anneal",
        action="store_true",
        help="of a supernet of widths: say how sharing will be annealed, and stop",
    )
    args = parser.parse_args(argv)
    check_resume_arguments(parser, args)
    if args.out is None and not (args.print_config or args.anneal):
        parser.error("give a run folder: --out FOLDER")
    return run_tool(lambda: choose(args))


def choose(args: argparse.Namespace) -> int:
    """Search with a training for each trial, or with one supernet for all."""
    from autodl.config.reading import load_config
    from autodl.errors import ConfigError

    if "Width" in load_config(Path(args.config), args.override).values:
        return search_widths(args)
    if args.anneal:
        raise ConfigError(f"--anneal is for supernets of widths, and {args.config} has none")
    return search(args)


def search_widths(args: argparse.Namespace) -> int:
    """Train a supernet, and say which widths are the best in it."""
    from autodl.jobs.width.config import load_width
    from autodl.jobs.width.run import preview, result_lines, run_width_search

    config = load_width(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    if args.anneal:
        print(preview(config))
        return 0
    result = run_width_search(
        config,
        args.out,
        resume=args.resume,
        accept_changed_plugins=args.accept_changed_plugins,
        progress=tell,
    )
    print("\n".join(result_lines(config, result)))
    return 0


def search(args: argparse.Namespace) -> int:
    """Run the search and say where its result is."""
    from autodl.jobs.search.parts import load_search
    from autodl.jobs.search.run import run_search
    from autodl.search.budget import INTERRUPTED
    from autodl.search.observers.outcome import shown_as
    from autodl.search.observers.progress import console_progress

    config = load_search(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    progress = console_progress(sys.stdout)
    result = run_search(
        config,
        args.out,
        resume=args.resume,
        accept_changed_plugins=args.accept_changed_plugins,
        observers=[progress],
        tell=tell,
    )
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
    metric = shown_as(config.to_plain())
    value = "none" if result.best.reward is None else metric.digits(result.best.reward)
    print(f"its {metric.label}: {value} (trial {result.best.id} of {result.finished})")
    if result.front is not None:
        print(f"best trade-offs: {result.front}")
    print(f"all trials: autodl report {args.out}")
    print(f"curves:     visualdl --logdir {args.out / 'vdl'} --language en")
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
