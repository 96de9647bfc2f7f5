#!/usr/bin/env python3
"""Measure trained networks on the test set, once; a second call repeats the record.

Example: python tools/eval.py runs/best/trial-0007 -o Data.path=cifar-10-python.tar.gz
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import _start

from autodl.system.console import (
    add_models_argument,
    add_override_argument,
    add_plugin_argument,
    run_tool,
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    parser.add_argument(
        "folders", type=Path, nargs="*", metavar="FOLDER", help="of a trained network"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a released network: its record, or by -o on other data",
    )
    parser.add_argument("--ensemble", action="store_true", help="the released ensemble, alike")
    add_models_argument(parser)
    add_override_argument(
        parser, "Data.path=..., where the data are now, or Global.device=...; repeatable"
    )
    add_plugin_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per folder")
    args = parser.parse_args(argv)
    if bool(args.folders) + bool(args.model) + args.ensemble != 1:
        parser.error("give the FOLDER of a training, --model NAME or --ensemble")
    return run_tool(lambda: evaluate(args))


def evaluate(args: argparse.Namespace) -> None:
    """Measure every network that is asked for, and print the results."""
    from autodl.config.plugins import import_plugins
    from autodl.trained.test_result import result_lines

    import_plugins(args.plugin)

    measures = [partial(trained_result, folder, args.override) for folder in args.folders]
    for measure in measures or [partial(released_result, args)]:
        name, result = measure()
        if args.json:
            print(json.dumps({"folder" if args.folders else "model": name, **result}))
        else:
            print("\n".join(result_lines(name, result)))


def trained_result(folder: Path, overrides: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """What a finished training is worth on its test set, which is read once."""
    from autodl.jobs.train.final_test import measure_once

    return str(folder), measure_once(folder, overrides)


def released_result(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """What is on record of a released network, or what it is worth on the data that are given."""
    from autodl.release import Ensemble, load
    from autodl.release.evaluation import measure, on_record, prepare

    name, models = args.model or "ensemble", args.models
    if not args.override:
        return name, on_record(args.model, models)
    dataset = prepare(args.model, args.override, models)
    predictor = load(name, models=models) if args.model else Ensemble.released(models)
    return name, measure(predictor, dataset)


if __name__ == "__main__":
    sys.exit(main())
