"""What a grid of measured steps is of: the kinds of layers that a space has, in which sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autodl.jobs.latency import short
from autodl.objectives.latency.records import MakePlan
from autodl.plans.layers import Conv, Layer, Shape
from autodl.plans.plan import Plan, for_input
from autodl.plans.sizes import Kind, Sizes, sized_layers
from autodl.plans.step_table import Grid
from autodl.spaces.codec import Architecture
from autodl.spaces.space import Sampled
from autodl.spaces.training_choices import ChoosesTraining, TrainingChoices

if TYPE_CHECKING:
    from paddle import nn

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


@dataclass(frozen=True, slots=True)
class Point:
    """One size of a kind that is measured, on so many pictures."""

    kind: Kind
    place: int
    layer: Layer
    shapes: tuple[Shape, ...]
    output: Shape
    pictures: int


def _choices(architecture: Architecture) -> TrainingChoices:
    if isinstance(architecture, ChoosesTraining):
        return architecture.training_choices()
    return TrainingChoices()


def forms_of(architecture: Architecture) -> dict[str, str]:
    """Paths of parts of its network, each with what its convolutions are trained as."""
    return dict(_choices(architecture).branches)


def kinds_of(
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
            for name, kind, sizes in sized_layers(shown, forms_of(architecture)):
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


def axes_of(found: Mapping[Kind, list[Sizes]]) -> dict[Kind, dict[str, tuple[int, ...]]]:
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


def points_of(kind: Kind, axes: Mapping[str, Sequence[int]], batch_size: int) -> list[Point]:
    """What of a grid is measured: all but what is too large to be worth it, or is no layer.

    Where all are too large, the smallest is.
    """
    points, costs = [], []
    for place, sizes in enumerate(product(*axes.values())):
        try:
            layer, shapes = kind.of_sizes(sizes)
        except ValueError:
            continue
        output = layer.output_shape(*shapes)
        macs = layer.macs(output)
        values = sum(map(prod, shapes)) + prod(output)
        if macs:
            groups = layer.groups if isinstance(layer, Conv) else 1
            fitting = _WORK // (macs + values * _MACS_OF_VALUE + groups * _MACS_OF_GROUP)
        else:
            fitting = _VALUES // values
        pictures = min(max(fitting, 2), batch_size)
        points.append(Point(kind, place, layer, shapes, output, pictures))
        costs.append(macs)
    most = max(_MOST_MACS, min(costs, default=0))
    return [point for point, macs in zip(points, costs, strict=True) if macs <= most]


def modules_of(points: Sequence[Point]) -> list[nn.Layer]:
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


def grid_of(
    kind: Kind,
    axes: Mapping[str, tuple[int, ...]],
    points: Sequence[Point],
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
