#!/usr/bin/env python3
"""Make a trained network, an ensemble or a model of the original into a release, or list them.

Examples:
    python tools/release.py runs/full/trial-0007 --name cell_a --found-by "..." -o Data.path=ARCHIVE
    python tools/release.py --ensemble cell_a cell_b mobile_a -o Data.path=ARCHIVE
    python tools/release.py --fluid lrc_model_3.tar.gz --genotype LRC_1 --out runs/lrc_model_3
    python tools/release.py --name cell_a --found-by "..."    # say it anew of one that is released
    python tools/release.py --table
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import add_models_argument, add_override_argument, run_tool

os.environ.setdefault("GLOG_minloglevel", "2")  # Paddle's remarks on its own static graphs

FLUID = (
    "--fluid imports a model that the original AutoDL (LRC) saved in Paddle Fluid's format. The"
    " folder is like one of `autodl train`, for `autodl eval`, `autodl export-model` and"
    " autodl.trained.network.load_trained_network: weights.safetensors, architecture.json,"
    " config.yaml, run.json, metrics.json. What nobody knows is not in it: there is no held-out"
    " accuracy, since the original trained on all 50,000 pictures, and no recipe, so it cannot be"
    " trained further. `autodl eval` accepts the official CIFAR-10 archive alone. The auxiliary"
    " classifier and the optimiser's variables are left out. Files do not tell which node an"
    " operation reads, so a wrong genotype of the same operations would fit as well. Archives are"
    " read in memory; nothing is unpacked."
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__, FLUID)
    parser.add_argument(
        "training", type=Path, nargs="?", metavar="FOLDER", help="of a trained network"
    )
    parser.add_argument("--name", help="of the release; its folder in --models")
    parser.add_argument(
        "--found-by", metavar="TEXT", help="which search proposed it, or who did, for its card"
    )
    parser.add_argument(
        "--by-hand", action="store_true", help="no search proposed it: people designed it"
    )
    parser.add_argument(
        "--views",
        type=int,
        choices=(1, 2, 6),
        help="of each picture that predictions are means over: 1; 2, it and its mirror image; 6,"
        " both shifted by a pixel, too; the most that the training measured if not given",
    )
    parser.add_argument(
        "--ensemble", nargs="+", metavar="NAME", help="released networks to choose and weight from"
    )
    parser.add_argument(
        "--fluid",
        type=Path,
        metavar="ARCHIVE",
        help="a model of the original, .tar or .tar.gz with one file for each variable",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="to make of --fluid")
    parser.add_argument(
        "--genotype",
        help="of --fluid: LRC_0 for lrc_model_0 and 1, LRC_1 for 2 to 4, LRC_2 for 5",
    )
    parser.add_argument("--channels", type=int, default=36, help="of its first cells (36)")
    parser.add_argument("--layers", type=int, default=20, help="its number of cells (20)")
    parser.add_argument("--table", action="store_true", help="print a table of what is released")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="of --table: accuracy against core-hours, drawn"
    )
    add_models_argument(parser)
    parser.add_argument(
        "--repetitions", type=int, default=20, metavar="N", help="of every timing; 0: no timings"
    )
    add_override_argument(parser, "Data.path=..., where the data are now; repeatable")
    args = parser.parse_args(argv)
    check(parser, args)
    return run_tool(lambda: release(args))


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with one line unless exactly one thing is asked for, with all that it needs."""
    if args.repetitions < 0:
        parser.error(f"--repetitions must be at least 0, got {args.repetitions}")
    wanted = [value is not None for value in (args.training, args.ensemble, args.fluid)]
    told = args.training is None and args.name is not None
    if sum([*wanted, args.table, told]) != 1:
        parser.error(
            "give either the FOLDER of a training, or --ensemble NAME ..., or --fluid ARCHIVE, or"
            " --table, or --name and --found-by of a release"
        )
    if args.fluid is not None and not (args.genotype and args.out):
        parser.error("a model of the original needs --genotype NAME and --out FOLDER")
    if (args.training is not None or told) and not (args.name and args.found_by):
        parser.error("a network needs --name NAME and --found-by TEXT")
    if args.views is not None and args.training is None:
        parser.error("--views is of the FOLDER of a training that is released; give both")
    if args.by_hand and args.training is None and not told:
        parser.error("--by-hand is of one network: give the FOLDER of a training, or --name")
    if args.plot is not None and not args.table:
        parser.error("--plot draws what --table lists; give both")
    if args.training is not None and not re.fullmatch("[a-z][a-z0-9_]*", args.name):
        parser.error("--name is a small letter, then small letters, digits and _: paddle.hub's too")


def release(args: argparse.Namespace) -> None:
    """Publish, and say what came of it; or print the table."""
    if args.table:
        from autodl.release.overview import overview

        if args.plot is not None:
            from autodl.drawing.figures import save_figure
            from autodl.release.plot import draw_released

            save_figure(draw_released(args.models), args.plot)
        print(overview(args.models), end="")
        return
    if args.fluid is not None:
        release_fluid(args)
        return
    from autodl.system.resources import resource

    models = args.models or resource("models")
    if args.ensemble is not None:
        from autodl.jobs.release.publish_ensemble import publish_ensemble

        made = publish_ensemble(args.ensemble, models, overrides=args.override)
        chosen = ", ".join(f"{name} x{count}" for name, count in made.members.items())
        print(f"wrote {models / 'ensemble.json'}: {chosen}")
        if (votes := made.cross_validated) is not None:
            print(
                f"on pictures that chose no votes: greedy selection {votes.selected:.4f}, one vote"
                f" for each {votes.mean:.4f}{_bounds(votes.interval)}"
            )
        print(f"held-out accuracy {made.held_out.accuracy:.4f}")
        if made.test is not None:
            print(f"test accuracy {made.test.accuracy:.4f}")
        for each in made.gains:
            print(f"  {each.gain:+.4f} over {each.than}{_bounds(each.interval)}")
        return
    from autodl.jobs.release.publish import publish, tell_anew

    if args.training is None:
        from autodl.release.network import find

        told = tell_anew(find(args.name, args.models), args.found_by, by_hand=args.by_hand)
        print(f"wrote {told.folder / 'card.md'}")
        return
    published = publish(
        args.training,
        models / args.name,
        found_by=args.found_by,
        by_hand=args.by_hand,
        views=args.views,
        overrides=args.override,
        repetitions=args.repetitions,
    )
    print(f"wrote {published.folder}: held-out {published.metrics.held_out.accuracy:.4f}", end="")
    if published.metrics.test is None:
        print(f"; no test accuracy: run autodl eval {args.training} before releasing it")
    else:
        print(f", test {published.metrics.test.accuracy:.4f}")


def _bounds(interval: tuple[float, float] | None) -> str:
    """Of a difference of accuracies."""
    return "" if interval is None else f" (95 %: {interval[0]:+.4f} to {interval[1]:+.4f})"


def release_fluid(args: argparse.Namespace) -> None:
    """Import a model of the original, and say what came of it."""
    from autodl.jobs.import_fluid.run import import_fluid

    done = import_fluid(
        args.fluid,
        args.out,
        genotype=args.genotype,
        channels=args.channels,
        layers=args.layers,
    )
    left = f", {len(done.left_out)} left out" if done.left_out else ""
    print(f"{done.folder}: {done.parameters:,} parameters in {done.variables} variables{left}")
    print(f"test accuracy, once: autodl eval {done.folder} -o Data.path=cifar-10-python.tar.gz")


if __name__ == "__main__":
    sys.exit(main())
