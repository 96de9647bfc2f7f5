#!/usr/bin/env python3
"""Measure layers on this machine, and predict from them how long networks take.

Examples:
    python tools/latency.py measure -c search/cell-demo.yaml --out latency.json
    python tools/latency.py measure --grid -c search/stages.yaml --out steps.json
    python tools/latency.py predict runs/demo --table latency.json
    python tools/latency.py check -c search/cell-demo.yaml --table latency.json --out check.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import _start

from autodl.system.console import ListConfigs, add_override_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    parser = _start.parser(__doc__)
    verbs = parser.add_subparsers(required=True, metavar="measure|predict|check")

    one = verbs.add_parser("measure", help="measure the layers of a search's networks")
    one.add_argument("--out", type=Path, required=True, metavar="TABLE", help="to write, JSON")
    what = one.add_mutually_exclusive_group()
    what.add_argument(
        "--training", action="store_true", help="time training steps, for Objectives.training_table"
    )
    what.add_argument(
        "--grid",
        action="store_true",
        help="passes forth and back of a grid of widths, for Network.step_table",
    )
    one.add_argument(
        "--batch-size", type=int, metavar="N", help="pictures at a time (1, or Train.batch_size)"
    )
    one.add_argument(
        "--repetitions", type=int, metavar="N", help="of every timing (30, 3 of a grid)"
    )
    one.set_defaults(work=measure)

    one = verbs.add_parser("predict", help="predict the latency of one network")
    one.add_argument("network", type=Path, metavar="ARCHITECTURE|RUN", help="JSON, or a run's best")
    one.add_argument(
        "--allow-foreign", action="store_true", help="the table is that of another machine"
    )
    one.set_defaults(work=predict)

    one = verbs.add_parser("check", help="measure random networks and compare with predictions")
    one.add_argument("--networks", type=int, default=30, metavar="N", help="how many")
    one.add_argument("--out", type=Path, metavar="FILE", help="plot to write: .svg or .png")
    one.set_defaults(work=check)

    for verb, one in verbs.choices.items():
        one.add_argument(
            "-c", "--config", required=verb != "predict", help="of a search; a run has its own"
        )
        add_override_argument(one, "override one key of the config; repeatable")
        one.add_argument("--configs", action=ListConfigs, folders=["search"])
        if verb != "measure":
            one.add_argument("--table", type=Path, required=True, help="made by `measure`")
            one.add_argument("--json", action="store_true", help="print one JSON object")
        if verb != "predict":
            one.add_argument("--seed", type=int, default=0, help="of the sampled architectures")
    args = parser.parse_args(argv)
    return run_tool(lambda: args.work(args))


def measure(args: argparse.Namespace) -> None:
    """Measure a table and write it."""
    from autodl.errors import StoreError
    from autodl.jobs.latency import measure_table, table_lines
    from autodl.jobs.step_table import measure_steps, step_lines
    from autodl.system.files import check_writable

    if args.out.is_dir():
        raise StoreError(f"--out {args.out} is a folder; name the file that the table goes to")
    check_writable(args.out, "the table goes there")
    usual = 3 if args.grid else 30
    given = {
        "batch_size": args.batch_size,
        "repetitions": usual if args.repetitions is None else args.repetitions,
        "seed": args.seed,
        "progress": _tell,
    }
    if args.grid:
        steps = measure_steps(args.config, args.override, **given)
        steps.write(args.out)
        lines = step_lines(steps)
    else:
        table = measure_table(
            args.config,
            args.override,
            mode="training" if args.training else "inference",
            **given,
        )
        table.write(args.out)
        lines = table_lines(table)
    print("\n".join([f"wrote {args.out}", *lines]))


def predict(args: argparse.Namespace) -> None:
    """Print how long a network takes by a table."""
    from autodl.jobs.latency import load_network
    from autodl.jobs.step_table import predict_steps, read_any_table
    from autodl.plans.step_table import StepTable

    table = read_any_table(args.table)
    if isinstance(table, StepTable):
        name, what = "picture_ms", f" a picture, forth and back, by the kernels of {table.kernels}"
        took = predict_steps(table, *load_network(args.network, args.config, args.override))
    else:
        table.check_machine(allow_foreign=args.allow_foreign, permit="give --allow-foreign")
        of_calls = table.mode == "inference"
        name, what = ("latency_ms", "") if of_calls else ("training_ms", " a training step")
        took = table.predict(load_network(args.network, args.config, args.override)[1])
    if args.json:
        print(json.dumps({name: took, "batch_size": table.batch_size}))
    else:
        print(f"{args.network}: {took:.4g} ms{what}, batch {table.batch_size}, {table.machine}")


def check(args: argparse.Namespace) -> None:
    """Print how far predictions are from measurements, and draw them."""
    from autodl.jobs.latency import check_lines, check_table
    from autodl.jobs.step_table import check_steps, read_any_table
    from autodl.plans.step_table import StepTable

    if args.out is not None:
        from autodl.drawing.figures import check_figure

        check_figure(args.out)
    table = read_any_table(args.table)
    given = {"networks": args.networks, "seed": args.seed, "progress": _tell}
    if isinstance(table, StepTable):
        result = check_steps(table, args.config, args.override, **given)
    else:
        result = check_table(table, args.config, args.override, **given)
    print(json.dumps(result.summary()) if args.json else "\n".join(check_lines(result)))
    if args.out is not None:
        from autodl.drawing.figures import save_figure
        from autodl.drawing.latencies import draw_latencies

        save_figure(draw_latencies(result.predicted, result.measured, args.config), args.out)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
