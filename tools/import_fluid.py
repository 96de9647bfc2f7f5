#!/usr/bin/env python3
"""Import a model that the original AutoDL (LRC) saved in Paddle Fluid's format, for today's Paddle.

Example: python tools/import_fluid.py lrc_model_3.tar.gz --genotype LRC_1 --out runs/lrc_model_3
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "autodl").is_dir():
    sys.path.insert(0, str(ROOT))

from autodl.system.console import Parser, run_tool

FOLDER = (
    "The folder is like one of tools/train.py, for `autodl eval`, `autodl export-model` and"
    " autodl.trained.network.load_trained_network: weights.safetensors, architecture.json,"
    " config.yaml, run.json, metrics.json. What nobody knows is not in it: there is no held-out"
    " accuracy, since the original trained on all 50,000 pictures, and no recipe, so it cannot be"
    " trained further."
    " `autodl eval` accepts the official CIFAR-10 archive alone. The auxiliary classifier and the"
    " optimiser's variables are left out. Files do not tell which node an operation reads, so a"
    " wrong genotype of the same operations would fit as well. Archives are read in memory; nothing"
    " is unpacked."
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=(__doc__ or "").splitlines()[0], epilog=FOLDER)
    parser.add_argument(
        "archive", type=Path, help=".tar or .tar.gz with one file for each variable"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument(
        "--genotype",
        required=True,
        help="of the model: LRC_0 for lrc_model_0 and 1, LRC_1 for 2 to 4, LRC_2 for 5",
    )
    parser.add_argument("--channels", type=int, default=36, help="of its first cells (36)")
    parser.add_argument("--layers", type=int, default=20, help="its number of cells (20)")
    args = parser.parse_args(argv)
    return run_tool(lambda: convert(args))


def convert(args: argparse.Namespace) -> None:
    """Import, and say what came of it."""
    from autodl.jobs.import_fluid.run import import_fluid

    done = import_fluid(
        args.archive,
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
