#!/usr/bin/env python3
"""Cut a small subset of any data set into one .npz file that Data.name=npz reads.

The embedded sample was made by

    python tools/prepare_data.py --name cifar10 --path DIR --out autodl/data/cifar10_mini.npz

Both parts come from the training part of the source: its test part stays unseen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import _start

from autodl.system.console import run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments, write the subset; exit code 2 and one line if that fails."""
    args = _parser().parse_args(argv)
    return run_tool(lambda: print(prepare(args)))


def prepare(args: argparse.Namespace) -> str:
    """Cut and write what ``args`` ask for, and say what was written."""
    from autodl.data.load import load
    from autodl.data.options import DataOptions
    from autodl.data.subset import cut_subset, write_npz
    from autodl.system.files import check_writable

    check_writable(args.out, "the subset goes there")
    # a folder's pictures have no common size before they are cut to one
    early_size = args.image_size if args.name == "folder" else None
    source = load(DataOptions(name=args.name, path=args.path, image_size=early_size))
    subset = cut_subset(
        source,
        per_class=args.per_class,
        test_per_class=args.test_per_class,
        image_size=args.image_size,
        classes=args.classes,
        seed=args.seed,
    )
    write_npz(subset, args.out)
    train, test = subset.dataset.train, subset.dataset.test
    size = f"{train.images.shape[1]}x{train.images.shape[2]}"
    return (
        f"wrote {args.out}: {len(train):,} + {len(test):,} pictures of {size}, "
        f"{len(subset.dataset.classes)} classes, {args.out.stat().st_size:,} bytes"
    )


def _parser() -> argparse.ArgumentParser:
    parser = _start.parser(__doc__, "The test part of the source stays unseen.")
    add = parser.add_argument
    add("--name", default="cifar10", help="cifar10 (default), cifar100, folder, npz, cifar10-mini")
    add("--path", type=Path, help="where the source lies: archive, folder or file")
    add("--per-class", type=int, default=100, help="training pictures per class (100)")
    add("--test-per-class", type=int, default=20, help="test pictures per class (20)")
    add("--image-size", type=_between(8, 512), help="side in pixels, 8..512 (default: as stored)")
    add("--classes", type=_classes, help="a number, or names with commas: cat,dog")
    add("--seed", type=_between(0, 2**63 - 1), default=2018, help="seed of the split rule (2018)")
    add("--out", type=Path, required=True, help="file to write, ending in .npz")
    return parser


def _between(lowest: int, highest: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not lowest <= (value := int(text)) <= highest:
            raise argparse.ArgumentTypeError(f"{value} is not in {lowest}..{highest}")
        return value

    return whole_number


def _classes(text: str) -> int | tuple[str, ...]:
    return int(text) if text.isdigit() else tuple(name.strip() for name in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
