"""From a search's config to a table of measured steps, and how well the table predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
from autodl.objectives.latency.machine import this_machine
from autodl.objectives.latency.records import MakePlan, distinct_networks
from autodl.objectives.latency.table import LatencyTable
from autodl.plans.layers import Conv, Layer, Shape
from autodl.plans.plan import Plan, for_input
from autodl.plans.sizes import Kind, Sizes, sized_layers
from autodl.plans.step_table import FORMAT, Grid, StepTable
from autodl.recipes.options import TrainOptions
from autodl.spaces.codec import Architecture
from autodl.spaces.space import Sampled
from autodl.spaces.training_choices import ChoosesTraining, TrainingChoices

if TYPE_CHECKING:
    from paddle import nn

    from autodl.networks.timing import Call, Passes

# channels and sides of a grid, as far as a space needs them
CHANNELS = (8, 32, 128, 512)
SIDES = (2, 8, 32, 128, 512)
PATIENCE = 300  # random architectures without a new kind of layer
# Norms, activations and pools are shown so many values that they come from memory, as in a
# training; from a cache they take a third. Convolutions go through their pictures one by one, group
# by group: there it is enough that a call is long. Values and groups count as so many MACs there.
_VALUES, _WORK = 2**22, 150_000_000
_MACS_OF_VALUE, _MACS_OF_GROUP = 60, 50_000
_MOST_MACS = 160_000_000  # for one picture; larger ones are as fast for each
_PLACES = ("Data.path=", "Data.test_path=")  # a table goes into runs and releases
_NETWORK_PIXELS = 2**16  # a whole network is shown so many, 64 pictures of 32x32


@dataclass(frozen=True, slots=True)
class _Point:
    """One size of a kind that is measured, on so many pictures."""

    kind: Kind
    place: int
    layer: Layer
    shapes: tuple[Shape, ...]
    output: Shape
    pictures: int


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
    from autodl.networks.timing import Passes, least_times
    from autodl.training.device import select_device

    began = time.perf_counter()
    checked = load_search(config, overrides)
    batch_size = checked.train.batch_size if batch_size is None else batch_size
    check_range(batch_size=(batch_size, 2), repetitions=(repetitions, 1))
    check_range(networks=(networks, 1), seed=(seed, 0))
    device = select_device(checked.general.device)
    space, make_plan = sampled_space(checked), make_plans(checked)
    rng = np.random.default_rng((seed, 1))
    whole = distinct_networks(space, make_plan, networks, rng)
    for _, plan in whole:
        if len(plan.input_shape) != 3:
            raise ConfigError(
                f"a grid is of networks for pictures, those of {config} read something else; leave"
                " out --grid"
            )
    axes = _axes(_found(space, make_plan, whole, seed))
    points = [point for kind in axes for point in _points(kind, axes[kind], batch_size)]
    progress(
        f"{len(axes)} kinds of layers in {len(points)} sizes, {len(whole)} networks,"
        f" {repetitions} rounds on {device}"
    )
    passes = Passes()
    modules = _modules(points)
    calls = [
        passes.of(module, point.shapes, point.output, point.pictures, first=point.kind.on_pictures)
        for module, point in zip(modules, points, strict=True)
    ]
    of_networks, batches = _network_calls(passes, whole, checked.train, batch_size)
    calls += of_networks
    times = least_times(calls, repetitions, seed=seed, progress=_spoken(progress))
    of_points = times[: len(points)] / [point.pictures for point in points]
    kinds = {kind.name: _grid(kind, axes[kind], points, of_points) for kind in axes}
    table = StepTable(
        machine=str(this_machine("cpu" if device == "cpu" else "gpu")),
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
        AutoDLError: the table is of another config, the config is unusable, a number is out of
            range, or the space has fewer networks.
    """
    from autodl.networks.timing import Passes, least_times
    from autodl.training.device import select_device

    check_range(networks=(networks, 2), seed=(seed, 0))
    checked = load_search(config, overrides)
    whole = other_networks(checked, networks, seed)
    predicted = [predict_steps(table, *network) for network in whole]
    select_device(checked.general.device)
    calls, batches = _network_calls(Passes(), whole, checked.train, table.batch_size)
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
    return table.predict(plan, _forms(architecture))


def step_lines(table: StepTable) -> list[str]:
    """A table in words."""
    points = sum(len(grid.ms) for grid in table.kinds.values())
    return [
        f"passes forth and back of {len(table.kinds)} kinds of layers in {points} sizes, in batches"
        f" of {table.batch_size}, least processor time of {table.repetitions}, {table.seconds:.0f}"
        f" s, on {table.machine}",
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


def _choices(architecture: Architecture) -> TrainingChoices:
    if isinstance(architecture, ChoosesTraining):
        return architecture.training_choices()
    return TrainingChoices()


def _forms(architecture: Architecture) -> dict[str, str]:
    return dict(_choices(architecture).branches)


def _found(
    space: Sampled[Architecture],
    make_plan: MakePlan,
    whole: Sequence[tuple[Architecture, Plan]],
    seed: int,
) -> dict[Kind, list[Sizes]]:
    """Kinds of layers of a space with the sizes that they were seen in.

    Stops when ``PATIENCE`` architectures in a row have shown no new kind.
    """
    found: dict[str, tuple[Kind, list[Sizes]]] = {}

    def look(architecture: Architecture, plan: Plan) -> bool:
        known = len(found)
        for shown in _shown(architecture, plan):
            for name, kind, sizes in sized_layers(shown, _forms(architecture)):
                found.setdefault(name, (kind, []))[1].append(sizes)
        return len(found) > known

    for architecture, plan in whole:
        look(architecture, plan)
    rng, since_new = np.random.default_rng((seed, 0)), 0
    while since_new < PATIENCE:
        architecture = space.sample(rng)
        since_new = 0 if look(architecture, make_plan(architecture)) else since_new + 1
    return dict(found.values())


def _shown(architecture: Architecture, plan: Plan) -> list[Plan]:
    """The plan, and that of the smallest pictures where they grow and it can take them."""
    first = _choices(architecture).first_size
    if first is None:
        return [plan]
    try:
        return [plan, for_input(plan, (plan.input_shape[0], first, first))]
    except ValueError:
        return [plan]


def _axes(found: Mapping[Kind, list[Sizes]]) -> dict[Kind, dict[str, tuple[int, ...]]]:
    """Of each kind the sizes to measure: a ladder around all that were seen, or the only one."""
    axes = {}
    for kind, seen in found.items():
        ladders = {}
        for name, sizes in zip(kind.axes, zip(*seen, strict=True), strict=True):
            ladder = SIDES if name == "side" else CHANNELS
            ladders[name] = _around(ladder, min(sizes), max(sizes))
        axes[kind] = ladders
    return axes


def _around(ladder: Sequence[int], low: float, high: float) -> tuple[int, ...]:
    """The part of a ladder that holds a range; of one number, that number."""
    if low == high and low == int(low):
        return (int(low),)
    first = max(sum(size <= low for size in ladder) - 1, 0)
    last = min(sum(size < high for size in ladder), len(ladder) - 1)
    return tuple(ladder[min(first, last) : last + 1])


def _points(kind: Kind, axes: Mapping[str, Sequence[int]], batch_size: int) -> list[_Point]:
    """What of a grid is measured: all but what is too large to be worth it, or is no layer."""
    points = []
    for place, sizes in enumerate(product(*axes.values())):
        try:
            layer, shapes = kind.of_sizes(sizes)
        except ValueError:
            continue
        output = layer.output_shape(*shapes)
        macs = layer.macs(output)
        if macs > _MOST_MACS:
            continue
        values = sum(map(prod, shapes)) + prod(output)
        if macs:
            groups = layer.groups if isinstance(layer, Conv) else 1
            fitting = _WORK // (macs + values * _MACS_OF_VALUE + groups * _MACS_OF_GROUP)
        else:
            fitting = _VALUES // values
        pictures = min(max(fitting, 2), batch_size)
        points.append(_Point(kind, place, layer, shapes, output, pictures))
    return points


def _modules(points: Sequence[_Point]) -> list[nn.Layer]:
    """The layer of each point; those that differ in the side of their maps alone are one."""
    from paddle import nn

    from autodl.networks.layers import make_layer
    from autodl.reparam.replacement import replace_convolutions

    made: dict[tuple[Layer, str], nn.Layer] = {}
    for point in points:
        key = (point.layer, point.kind.form)
        if key not in made:
            made[key] = make_layer(point.layer)
            if point.kind.form:
                made[key] = nn.Sequential(made[key])
                replace_convolutions(made[key], point.kind.form, only=["0"])
    return [made[point.layer, point.kind.form] for point in points]


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


def _grid(
    kind: Kind,
    axes: Mapping[str, tuple[int, ...]],
    points: Sequence[_Point],
    milliseconds: NDArray[np.float64],
) -> Grid:
    """The grid of a kind; what was not measured is scaled from the next smaller size.

    Larger sizes take no less: what noise makes of that would leave no order to search widths by.
    """
    times = np.full(prod(map(len, axes.values())), np.nan)
    for point, ms in zip(points, milliseconds, strict=True):
        if point.kind is kind:
            times[point.place] = ms
    times = filled(times.reshape([len(sizes) for sizes in axes.values()]), axes)
    return Grid(
        axes={axis: tuple(map(float, sizes)) for axis, sizes in axes.items()},
        ms=tuple(map(short, times.ravel())),
    )


def filled(times: NDArray[np.float64], axes: Mapping[str, Sequence[int]]) -> NDArray[np.float64]:
    """Times of a grid without gaps, which rise with every size.

    Args:
        times: float64, an axis for each of ``axes``; NaN where nothing was measured: there one
            multiply-accumulate, or value, takes as long as in the next size.
    """
    work = np.ones(())
    for name, sizes in axes.items():
        work = np.multiply.outer(work, np.array(sizes, float) ** (2 if name == "side" else 1))
    pace = times / work
    for axis in reversed(range(pace.ndim)):  # the side first: widths decide how fast it is
        for _ in range(2):  # from smaller to larger sizes, then the other way
            rows = np.moveaxis(pace, axis, 0)
            for row, before in zip(rows[1:], rows, strict=False):
                row[...] = np.where(np.isnan(row), before, row)
            pace = np.flip(pace, axis)
    times = pace * work
    for axis in range(times.ndim):
        times = np.maximum.accumulate(times, axis)
    return times


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
