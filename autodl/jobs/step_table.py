"""From a search's config to a table of measured steps, and how well the table predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autodl.errors import ConfigError
from autodl.jobs.latency import (
    Check,
    Progress,
    check_range,
    make_plans,
    other_networks,
    sampled_space,
    short,
)
from autodl.jobs.search.parts import load_search
from autodl.jobs.step_grid import axes_of, forms_of, grid_of, kinds_of, modules_of, points_of
from autodl.objectives.latency.machine import this_machine
from autodl.objectives.latency.records import distinct_networks
from autodl.objectives.latency.table import LatencyTable
from autodl.plans.plan import Plan
from autodl.plans.step_table import FORMAT, StepTable
from autodl.recipes.options import TrainOptions
from autodl.spaces.codec import Architecture

if TYPE_CHECKING:
    from autodl.networks.timing import Call, Passes

_PLACES = ("Data.path=", "Data.test_path=")  # a table goes into runs and releases
_NETWORK_PIXELS = 2**16  # a whole network is shown so many, 64 pictures of 32x32


def measure_steps(
    config: str,
    overrides: Sequence[str] = (),
    *,
    batch_size: int | None = None,
    repetitions: int = 3,
    networks: int = 5,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> StepTable:
    """Measure a grid of sizes of every kind of layer that the config's space has.

    Args:
        config: of a search, a file or the name of a shipped one.
        batch_size: None is that of the config's ``Train``.
        repetitions: of which the least processor time counts.
        networks: random networks that the factor is taken from.

    Raises:
        AutoDLError: the config is unusable or not of pictures, or a number is out of range.
    """
    from autodl.networks.onednn import training_kernels
    from autodl.networks.precision import mixed_precision
    from autodl.networks.timing import Passes, least_times
    from autodl.training.device import select_device

    began = time.perf_counter()
    checked = load_search(config, overrides)
    batch_size = checked.train.batch_size if batch_size is None else batch_size
    check_range(batch_size=(batch_size, 2), repetitions=(repetitions, 1))
    check_range(networks=(networks, 1), seed=(seed, 0))
    device = select_device(checked.general.device)
    space, make_plan = sampled_space(checked), make_plans(checked)
    whole = distinct_networks(space, make_plan, networks, np.random.default_rng((seed, 1)))
    if any(len(plan.input_shape) != 3 for _, plan in whole):
        raise ConfigError(
            f"a grid is of networks for pictures, those of {config} read something else; leave out"
            " --grid"
        )
    axes = axes_of(kinds_of(space, make_plan, whole, seed))
    points = [point for kind in axes for point in points_of(kind, axes[kind], batch_size)]
    progress(
        f"{len(axes)} kinds of layers in {len(points)} sizes, {len(whole)} networks,"
        f" {repetitions} rounds on {device}"
    )
    passes = Passes()
    modules = modules_of(points)
    calls = [
        passes.of(module, point.shapes, point.output, point.pictures, first=point.kind.on_pictures)
        for module, point in zip(modules, points, strict=True)
    ]
    of_networks, batches = _network_calls(passes, whole, checked.train, batch_size)
    calls += of_networks
    with mixed_precision(checked.train.amp):
        times = least_times(calls, repetitions, seed=seed, progress=_spoken(progress))
    of_points = times[: len(points)] / [point.pictures for point in points]
    kinds = {kind.name: grid_of(kind, axes[kind], points, of_points) for kind in axes}
    table = StepTable(
        machine=str(this_machine("cpu" if device == "cpu" else "gpu")),
        kernels=training_kernels(checked.train.amp),
        batch_size=batch_size,
        repetitions=repetitions,
        config=" ".join([config, *(one for one in overrides if not one.startswith(_PLACES))]),
        measured=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        seconds=round(time.perf_counter() - began, 1),
        factor=1.0,
        kinds=dict(sorted(kinds.items())),
    )
    measured = times[len(points) :] / batches
    sums = [predict_steps(table, *network) for network in whole]
    return table.model_copy(update={"factor": short(float(np.median(measured / sums)))})


def check_steps(
    table: StepTable,
    config: str,
    overrides: Sequence[str] = (),
    *,
    networks: int = 30,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> Check:
    """Measure random networks, and predict them: milliseconds of a picture, forth and back.

    Raises:
        AutoDLError: the table is of another config or of other kernels, the config is unusable, a
            number is out of range, or the space has fewer networks.
    """
    from autodl.networks.onednn import training_kernels
    from autodl.networks.precision import mixed_precision
    from autodl.networks.timing import Passes, least_times
    from autodl.training.device import select_device

    check_range(networks=(networks, 2), seed=(seed, 0))
    checked = load_search(config, overrides)
    whole = other_networks(checked, networks, seed)
    predicted = [predict_steps(table, *network) for network in whole]
    select_device(checked.general.device)
    table.check_kernels(training_kernels(checked.train.amp))
    calls, batches = _network_calls(Passes(), whole, checked.train, table.batch_size)
    with mixed_precision(checked.train.amp):
        times = least_times(calls, table.repetitions, seed=seed, progress=_spoken(progress))
    return Check(
        predicted=np.array(predicted),
        measured=times / batches,
        typical=float(np.median(times / batches)),
        disturbed=0.0,
    )


def predict_steps(table: StepTable, architecture: Architecture, plan: Plan) -> float:
    """Milliseconds of a picture's way forth and back, through the network as it is trained.

    Raises:
        UnknownNameError: the table has not all kinds of its layers.
    """
    return table.predict(plan, forms_of(architecture))


def step_lines(table: StepTable) -> list[str]:
    """A table in words."""
    points = sum(len(grid.ms) for grid in table.kinds.values())
    return [
        f"passes forth and back of {len(table.kinds)} kinds of layers in {points} sizes, in batches"
        f" of {table.batch_size}, least processor time of {table.repetitions}, {table.seconds:.0f}"
        f" s, kernels of {table.kernels}, on {table.machine}",
        f"a network takes {table.factor:.3f} times the sum of its layers",
    ]


def read_any_table(path: Path) -> LatencyTable | StepTable:
    """A table of either kind.

    Raises:
        DataError: the file is missing or damaged, or is no table.
    """
    try:
        is_steps = f'"{FORMAT}"' in path.read_text(encoding="utf-8")[:200]
    except (OSError, ValueError):
        is_steps = False
    return StepTable.read(path) if is_steps else LatencyTable.read(path)


def _network_calls(
    passes: Passes,
    whole: Sequence[tuple[Architecture, Plan]],
    options: TrainOptions,
    batch_size: int,
) -> tuple[list[Call], list[int]]:
    """Passes through networks in the form that they are trained in, and the pictures of each."""
    from autodl.recipes.chosen import training_of
    from autodl.reparam.training_form import training_network

    calls, batches = [], []
    for architecture, plan in whole:
        network = training_network(plan, training_of(options, architecture))
        batches.append(min(max(_NETWORK_PIXELS // prod(plan.input_shape[1:]), 2), batch_size))
        calls.append(
            passes.of(network, [plan.input_shape], plan.output_shape, batches[-1], first=True)
        )
    return calls, batches


def _spoken(progress: Progress) -> Callable[[int, int], None]:
    """Says every five seconds how far it is."""
    began = spoke = time.perf_counter()

    def after_call(done: int, of: int) -> None:
        nonlocal spoke
        now = time.perf_counter()
        if now - spoke >= 5.0:
            left = (now - began) / done * (of - done)
            progress(f"{done / of:.0%} of {of} passes, {left:.0f} s to go")
            spoke = now

    return after_call
