#!/usr/bin/env python3
"""Measure layers on this machine, and predict from them how long networks take.

Examples:
    python tools/latency.py measure -c search/cell-demo.yaml --out latency.json
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
    one.add_argument(
        "--training", action="store_true", help="time training steps, for Objectives.training_table"
    )
    one.add_argument(
        "--batch-size", type=int, metavar="N", help="pictures at a time (1, or Train.batch_size)"
    )
    one.add_argument("--repetitions", type=int, default=30, metavar="N", help="of every timing")
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
    from autodl.jobs.latency import measure_table, table_lines
    from autodl.system.files import check_writable

    check_writable(args.out, "the table goes there")
    table = measure_table(
        args.config,
        args.override,
        mode="training" if args.training else "inference",
        batch_size=args.batch_size,
        repetitions=args.repetitions,
        seed=args.seed,
        progress=_tell,
    )
    table.write(args.out)
    print("\n".join([f"wrote {args.out}", *table_lines(table)]))


def predict(args: argparse.Namespace) -> None:
    """Print the predicted latency of a network."""
    from autodl.jobs.latency import load_network
    from autodl.objectives.latency.table import LatencyTable

    table = LatencyTable.read(args.table)
    table.check_machine(allow_foreign=args.allow_foreign, permit="give --allow-foreign")
    latency = table.predict(load_network(args.network, args.config, args.override))
    if args.json:
        name = "latency_ms" if table.mode == "inference" else "training_ms"
        print(json.dumps({name: latency, "batch_size": table.batch_size}))
    else:
        what = "" if table.mode == "inference" else " a training step"
        print(f"{args.network}: {latency:.4g} ms{what}, batch {table.batch_size}, {table.machine}")


def check(args: argparse.Namespace) -> None:
    """Print how far predictions are from measurements, and draw them."""
    from autodl.jobs.latency import check_lines, check_table
    from autodl.objectives.latency.table import LatencyTable

    if args.out is not None:
        from autodl.drawing.figures import check_figure

        check_figure(args.out)
    table = LatencyTable.read(args.table)
    result = check_table(
        table, args.config, args.override, networks=args.networks, seed=args.seed, progress=_tell
    )
    print(json.dumps(result.summary()) if args.json else "\n".join(check_lines(result)))
    if args.out is not None:
        from autodl.drawing.figures import save_figure
        from autodl.drawing.latencies import draw_latencies

        save_figure(draw_latencies(result.predicted, result.measured, args.config), args.out)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
