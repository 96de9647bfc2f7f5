#!/usr/bin/env python3
"""Train one architecture, the best of a search, or a classic network, in full.

Examples:
    python tools/train.py -c train/demo.yaml --run runs/demo --top 2 --out runs/best
    python tools/train.py -c train/demo.yaml --architecture best.json --out runs/one
    python tools/train.py -c train/cifar-quick.yaml --out runs/quick
    python tools/train.py -c supernet/width-demo.yaml --out runs/width    # a supernet: as `search`
    python tools/train.py -c supernet/edge-demo.yaml --out runs/supernet  # one of paths
    python tools/train.py -c supernet/darts-demo.yaml --out runs/darts    # a relaxed one (DARTS)

Several devices for one network, here two GPUs; CPUs by --nproc_per_node 2 in place of --devices:
    python -m paddle.distributed.launch --devices 0,1 --log_dir runs/log tools/train.py -c ...
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

SEVERAL = (
    "Several devices for one network: python -m paddle.distributed.launch --devices 0,1 (on CPUs:"
    " --nproc_per_node 2) tools/train.py ... Train.batch_size is that of one process: with two,"
    " an update is made from twice as many pictures, as by one process with the doubled batch"
    " size; the learning rate is used as given. A training may be resumed by another number of"
    " processes if the batch of all stays the same."
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__, SEVERAL)
    add_config_arguments(parser, "train", "supernet")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--architecture", type=Path, metavar="FILE", help="an architecture JSON")
    source.add_argument("--run", type=Path, metavar="RUN", help="folder of a search")
    parser.add_argument("--top", type=int, metavar="N", help="with --run: the N best; else 1")
    parser.add_argument("--out", type=Path, help="folder; each network gets one inside it")
    add_resume_arguments(parser, "go on from the checkpoints there")
    args = parser.parse_args(argv)
    check_resume_arguments(parser, args)
    if not args.print_config:
        if args.out is None:
            parser.error("give --out FOLDER")
        if args.top is not None and args.run is None:
            parser.error("--top N is of a search: give --run RUN, or leave it out")
        if args.top is not None and args.top < 1:
            parser.error(f"--top must be at least 1, got {args.top}")
    return run_tool(lambda: choose_job(args))


def choose_job(args: argparse.Namespace) -> int:
    """Train networks, or a supernet."""
    from autodl.config.reading import load_config
    from autodl.errors import ConfigError

    sections = load_config(Path(args.config), args.override).values
    if not {"Width", "Supernet"} & set(sections):
        return train(args)
    if args.architecture is not None or args.run is not None:
        raise ConfigError(
            f"{args.config} is of a supernet, which holds all architectures: leave out"
            " --architecture and --run, or give a config of train/"
        )
    return train_widths(args) if "Width" in sections else train_paths(args)


def train_paths(args: argparse.Namespace) -> int:
    """Train a supernet of paths or a relaxed one, and say what to do with it."""
    from autodl.jobs.supernet.run import run_supernet
    from autodl.runs.supernet_folder import retraining
    from autodl.supernets.single_path.config import load_supernet_config

    config = load_supernet_config(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    found = run_supernet(
        config,
        args.out,
        resume=args.resume,
        accept_changed_plugins=args.accept_changed_plugins,
        progress=tell,
    )
    print(
        f"{args.out}: {found['architectures']:,} architectures in {found['parameters']:,} weights"
    )
    if config.relaxed:
        print(f"chosen: {args.out}/architecture.json\ntrain it: {retraining(args.out)}")
    else:
        print(
            f"search in it: autodl search -c search/edge-supernet.yaml -o Evaluator.run={args.out}"
        )
    return 0


def train_widths(args: argparse.Namespace) -> int:
    """Train a supernet of widths, and say which widths are the best in it."""
    from autodl.jobs.width.config import load_width
    from autodl.jobs.width.run import result_lines, run_width_search

    config = load_width(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    result = run_width_search(
        config,
        args.out,
        resume=args.resume,
        accept_changed_plugins=args.accept_changed_plugins,
        progress=tell,
    )
    print("\n".join(result_lines(config, result)))
    return 0


def train(args: argparse.Namespace) -> int:
    """Train every chosen architecture and rank them by held-out accuracy."""
    from autodl.jobs.train.run import check_all, choose, retrain
    from autodl.recipes.config import load_train
    from autodl.trial import TrialFailure

    config = load_train(args.config, args.override)
    if args.print_config:
        return print_config(config.to_plain())
    chosen = choose(config, architecture=args.architecture, run=args.run, top=args.top or 1)
    check_all(config, chosen, args.out, resume=args.resume)
    from autodl.training.parallel import join

    share = join(config.general.device)
    done, failed = [], 0
    for name, architecture in chosen:

        def progress(line: str, name: str = name) -> None:
            tell(f"{name} {line}")

        try:
            done.append(
                retrain(
                    config,
                    architecture,
                    args.out / name,
                    resume=args.resume,
                    accept_changed_plugins=args.accept_changed_plugins,
                    progress=progress,
                    share=share,
                )
            )
        except TrialFailure as failure:  # the others may still succeed
            failed += 1
            print(f"{name} failed: {failure}", file=sys.stderr)
    if not share.leads:
        return 1 if failed else 0
    for result in sorted(done, key=lambda result: -result.reward):
        print(f"{result.folder}: held-out {result.metric.name} {result.value:.4f}")
    if done:
        best = max(done, key=lambda result: result.reward)
        print(f"test {best.metric.name}, once: autodl eval {best.folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
