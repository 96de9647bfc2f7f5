"""Where everything of a cell's picture goes: layers, their order, and places across.

The layout follows Sugiyama, Tagawa and Toda (1981): every vertex gets a layer below those it
reads, the order within the layers is chosen for few crossings, and then the places across for
straight lines. An edge that passes a layer on its way gets a lane there, so it never runs
through a box. The edges that leave one vertex share their lanes, and so do those that enter
the output: a tree from a single source (or to a single end) stays readable where dozens of
parallel lines would not. This file is pure Python and NumPy; lengths are in inches.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from autodl.spaces.cell.architecture import Cell

INPUT = -1
BOX_GAP = 0.30
LANE_GAP = 0.17
_SWEEPS = 12
_RELAXATIONS = 60
_CENTRING = 2.0  # beside 1 for a link between boxes


@dataclass(frozen=True, slots=True, order=True)
class Stop:
    """A vertex's box, or the lane that edges from (or to) it use to pass a layer."""

    layer: int
    vertex: int
    lane: bool = False


Link: TypeAlias = tuple[Stop, Stop]
Rows: TypeAlias = list[list[Stop]]


@dataclass(frozen=True, slots=True)
class Layout:
    """A laid-out cell: the input is vertex -1, the output vertex ``nodes``.

    ``rows`` lists the stops of every layer from left to right and ``centres`` says where their
    centres are, in inches from the left. ``routes`` gives the stops that each edge visits, one
    per layer; ``links`` are their distinct steps, which is what gets drawn.
    """

    nodes: int
    rows: tuple[tuple[Stop, ...], ...]
    centres: Mapping[Stop, float]
    routes: Mapping[tuple[int, int], tuple[Stop, ...]]
    box_width: float

    @property
    def width(self) -> float:
        """Inches from the left-most to the right-most edge of anything."""
        return max(self.centres[stop] + self.breadth(stop) / 2 for stop in self.centres)

    @property
    def links(self) -> tuple[Link, ...]:
        """Every step from a layer to the next one, once."""
        return _links(self.routes)

    def breadth(self, stop: Stop) -> float:
        """Inches that a stop takes across; a lane takes none."""
        return 0.0 if stop.lane else self.box_width


def lay_out(cell: Cell, box_width: float = 1.5) -> Layout:
    """Lay out a cell whose boxes are ``box_width`` inches wide; equal cells, equal layouts."""
    edges = cell_edges(cell)
    routes = _routes(edges, _layers(cell.nodes, edges), cell.nodes)
    links = _links(routes)
    rows = _order(_rows(routes), links)
    return Layout(
        nodes=cell.nodes,
        rows=tuple(tuple(row) for row in rows),
        centres=_centres(rows, links, box_width),
        routes=routes,
        box_width=box_width,
    )


def cell_edges(cell: Cell) -> tuple[tuple[int, int], ...]:
    """All edges with those from the input (-1) and those to the output (``nodes``)."""
    edges = [
        (parent, node) for node in range(cell.nodes) for parent in cell.parents(node) or (INPUT,)
    ]
    return (*edges, *((node, cell.nodes) for node in cell.loose_ends()))


def _layers(nodes: int, edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Longest-path layers from the input's 0 to the output's, none wider than about a square.

    A node that reads the input only moves down to just above its first reader: the lane from
    the input is there anyway, so one line less has to pass the layers between.
    """
    sources: dict[int, list[int]] = defaultdict(list)
    targets: dict[int, list[int]] = defaultdict(list)
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    widest = max(4, math.isqrt(nodes - 1) + 1)
    layers, taken = {INPUT: 0}, Counter[int]()
    for node in range(nodes):
        layer = 1 + max(layers[source] for source in sources[node])
        while taken[layer] >= widest:
            layer += 1
        layers[node] = layer
        taken[layer] += 1
    layers[nodes] = 1 + max(layers.values())
    for node in reversed(range(nodes)):
        if sources[node] == [INPUT]:
            lowest = min(layers[target] for target in targets[node]) - 1
            taken[layers[node]] -= 1
            while lowest > layers[node] and taken[lowest] >= widest:
                lowest -= 1
            layers[node] = lowest
            taken[lowest] += 1
    dense = {layer: position for position, layer in enumerate(sorted(set(layers.values())))}
    return {vertex: dense[layer] for vertex, layer in layers.items()}


def _routes(
    edges: Sequence[tuple[int, int]], layers: Mapping[int, int], output: int
) -> dict[tuple[int, int], tuple[Stop, ...]]:
    routes = {}
    for source, target in edges:
        owner = target if target == output else source
        between = range(layers[source] + 1, layers[target])
        routes[source, target] = (
            Stop(layers[source], source),
            *(Stop(layer, owner, lane=True) for layer in between),
            Stop(layers[target], target),
        )
    return routes


def _links(routes: Mapping[tuple[int, int], tuple[Stop, ...]]) -> tuple[Link, ...]:
    steps = {step for stops in routes.values() for step in itertools.pairwise(stops)}
    return tuple(sorted(steps))


def _rows(routes: Mapping[tuple[int, int], tuple[Stop, ...]]) -> Rows:
    stops = sorted({stop for route in routes.values() for stop in route})
    rows: Rows = [[] for _ in range(stops[-1].layer + 1)]
    for stop in stops:
        rows[stop.layer].append(stop)
    return rows


def _order(rows: Rows, links: Sequence[Link]) -> Rows:
    """The order with the fewest crossings that barycentre sweeps down and up come across."""
    above, below = _neighbours(links)
    best, fewest = rows, _crossings(rows, links)
    for sweep in range(_SWEEPS):
        rows = [list(row) for row in rows]
        down = sweep % 2 == 0
        for layer in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            fixed = rows[layer - 1 if down else layer + 1]
            rows[layer] = _by_barycentre(rows[layer], fixed, above if down else below)
        crossings = _crossings(rows, links)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _by_barycentre(
    row: Sequence[Stop], fixed: Sequence[Stop], near: Mapping[Stop, Sequence[Stop]]
) -> list[Stop]:
    """The row sorted by the mean position of each stop's neighbours in the fixed row."""
    place = {stop: i for i, stop in enumerate(fixed)}
    return sorted(row, key=lambda stop: float(np.mean([place[other] for other in near[stop]])))


def _neighbours(links: Sequence[Link]) -> tuple[dict[Stop, list[Stop]], dict[Stop, list[Stop]]]:
    above: dict[Stop, list[Stop]] = defaultdict(list)
    below: dict[Stop, list[Stop]] = defaultdict(list)
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _crossings(rows: Rows, links: Sequence[Link]) -> int:
    """Pairs of links of one layer whose ends are in opposite orders."""
    place = {stop: i for row in rows for i, stop in enumerate(row)}
    by_layer: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for upper, lower in links:
        by_layer[upper.layer].append((place[upper], place[lower]))
    total = 0
    for pairs in by_layer.values():
        upper, lower = np.array(pairs).T
        opposite = (upper[:, None] < upper[None, :]) & (lower[:, None] > lower[None, :])
        total += int(opposite.sum())
    return total


def _centres(rows: Rows, links: Sequence[Link], box_width: float) -> dict[Stop, float]:
    """Places across that make the links straight, in the given order and without overlap.

    Minimises the weighted sum of squared sideways steps, layer by layer. One layer, given the
    others, is an isotonic regression. Long runs of lanes weigh most, so they become straight;
    a weak pull of the boxes to the middle keeps the picture from drifting to one side.
    """
    near: dict[Stop, list[tuple[Stop, float]]] = defaultdict(list)
    for upper, lower in links:
        weight = (1.0, 2.0, 20.0)[upper.lane + lower.lane]
        near[upper].append((lower, weight))
        near[lower].append((upper, weight))
    offsets = [_offsets(row, box_width) for row in rows]
    centres = {
        stop: offset - places[-1] / 2
        for row, places in zip(rows, offsets, strict=True)
        for stop, offset in zip(row, places, strict=True)
    }
    for relaxation in range(_RELAXATIONS):
        order = range(len(rows)) if relaxation % 2 == 0 else range(len(rows) - 1, -1, -1)
        for layer in order:
            ends = layer in (0, len(rows) - 1)  # input and output stay with what they belong to
            weights = [
                sum(weight for _, weight in near[stop]) + (0.0 if stop.lane or ends else _CENTRING)
                for stop in rows[layer]
            ]
            wanted = [
                sum(centres[other] * weight for other, weight in near[stop]) / total
                for stop, total in zip(rows[layer], weights, strict=True)
            ]
            slack = [want - offset for want, offset in zip(wanted, offsets[layer], strict=True)]
            for stop, fitted, offset in zip(
                rows[layer], _isotonic(slack, weights), offsets[layer], strict=True
            ):
                centres[stop] = fitted + offset
    left = min(x - (0.0 if stop.lane else box_width / 2) for stop, x in centres.items())
    return {stop: x - left for stop, x in centres.items()}


def _offsets(row: Sequence[Stop], box_width: float) -> list[float]:
    """Centres of a row's stops when they are packed as tightly as allowed, from 0."""
    places = [0.0]
    for left, right in itertools.pairwise(row):
        boxes = (not left.lane) + (not right.lane)
        places.append(places[-1] + boxes * box_width / 2 + (BOX_GAP if boxes == 2 else LANE_GAP))
    return places


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest non-decreasing values in weighted least squares, by pooling neighbours."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        length = 1
        while pools and pools[-1][0] > value:
            mean, pooled, count = pools.pop()
            value = (mean * pooled + value * weight) / (pooled + weight)
            weight, length = pooled + weight, length + count
        pools.append((value, weight, length))
    return [mean for mean, _, count in pools for _ in range(count)]
