"""OTMANN: how far apart two networks are, by the optimal transport of their layers' work.

Each layer has a mass, about the work that it does. The mass of one network is transported onto
layers of the other that are alike in kind and in place; what finds no such layer stays behind and
costs 1 a unit. It serves NASBOT (``nasbot.py``), and whoever wants to compare two plans.

Source: Kandasamy, Neiswanger, Schneider, Poczos, Xing: Neural architecture search with Bayesian
optimisation and optimal transport, NeurIPS 2018, arXiv:1802.07191.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.plans.layers import AvgPool, Concat, Conv, GlobalAvgPool, Linear, MaxPool, Recurrent
from autodl.plans.plan import Plan, Record

Floats: TypeAlias = NDArray[np.float64]

STRUCTURE_WEIGHTS = (0.1, 0.25, 0.61, 1.5)  # the paper's nu
LEFT_BEHIND = 1.0  # of a unit of mass, on either side
NEVER = 4 * LEFT_BEHIND  # of a pair that must not match: leaving both behind costs half of it
_LEAST_END = 100.0
_FULLY_CONNECTED_SHARE = 0.1
_POOLS = ("max_pool", "avg_pool")
_GROUPS = (None, ("conv",), _POOLS, ("fc",))  # None: every layer


@dataclass(frozen=True, slots=True)
class Node:
    """A layer as the distance sees it.

    ``kind`` is ``ip``, ``conv``, ``max_pool``, ``avg_pool``, ``fc``, ``recurrent``, ``decision``
    or ``op``; ``kernel``, of a convolution, is the mean of its extents, holes included; ``parents``
    are positions of earlier nodes.
    """

    kind: str
    mass: float
    parents: tuple[int, ...]
    kernel: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A network, ready to be compared: what ``profile`` makes of a plan.

    ``kernels`` and ``masses`` are float64 ``[layers]``, ``kinds`` int64, and ``paths`` ``[layers,
    24]``: the lengths of the shortest, the longest and a random path to the output, in layers of
    all kinds, convolutions, pools and fully connected ones, and the same to the input.
    """

    kinds: NDArray[np.int64]
    kernels: Floats
    masses: Floats
    paths: Floats

    @property
    def mass(self) -> float:
        """Of all layers together."""
        return float(self.masses.sum())


_KINDS = ("ip", "conv", *_POOLS, "fc", "recurrent", "decision", "op")


def profile(plan: Plan) -> Profile:
    """The network of a plan, ready to be compared."""
    return profile_of(nodes_of(plan))


def profile_of(nodes: Sequence[Node]) -> Profile:
    """The same of layers in an order of computation, of which the last alone is read by none."""
    children: list[list[int]] = [[] for _ in nodes]
    for position, node in enumerate(nodes):
        for parent in node.parents:
            children[parent].append(position)
    down = _paths(nodes, children, reversed(range(len(nodes))))
    up = _paths(nodes, [node.parents for node in nodes], range(len(nodes)))
    return Profile(
        np.array([_KINDS.index(node.kind) for node in nodes]),
        np.array([node.kernel for node in nodes]),
        np.array([node.mass for node in nodes]),
        np.concatenate([down, up], axis=1),
    )


def _paths(
    nodes: Sequence[Node], following: Sequence[Sequence[int]], order: Iterable[int]
) -> Floats:
    """Lengths ``[layers, 12]``: a step counts if the layer that it leaves belongs to the group."""
    lengths = np.zeros((len(nodes), len(_GROUPS), 3))
    for position in order:
        if not following[position]:
            continue
        kind = nodes[position].kind
        step = np.array([group is None or kind in group for group in _GROUPS], float)
        ahead = lengths[list(following[position])]
        lengths[position, :, 0] = step + ahead[:, :, 0].min(axis=0)
        lengths[position, :, 1] = step + ahead[:, :, 1].max(axis=0)
        lengths[position, :, 2] = step + ahead[:, :, 2].mean(axis=0)
    return lengths.reshape(len(nodes), -1)


def nodes_of(plan: Plan) -> list[Node]:
    """The layers of a plan that have mass, between an input and an output.

    A layer's mass is its incoming channels times its units, the input counting as one channel; a
    tenth of that for a fully connected layer; of a pool, its channels. The last one is the
    ``decision``. It, the input and the output have a tenth of all the others' mass each, at least
    100. Norms, activations, sums and the like have none: they hand on what they read.

    As published, but for what the paper does not have: channels that are summed count once and not
    for each summand, grouped convolutions have their mass divided by the groups, a kernel that is
    not square or has holes counts with the mean of its extents, and a recurrent layer matches
    recurrent ones alone. The paper's label for a residual block does not occur: a plan has its
    convolutions and their sum.
    """
    nodes = [Node("ip", 0.0, ())]
    sources: list[tuple[int, ...]] = [(0,)]  # of each record: nodes whose output it hands on
    channels = [1]
    for record in plan.records[1:]:
        read = tuple(dict.fromkeys(node for i in record.inputs for node in sources[i]))
        incoming = [channels[i] for i in record.inputs]
        units = _units(record, incoming)
        if (node := _node(record, incoming[0], units, read)) is not None:
            nodes.append(node)
            read = (len(nodes) - 1,)
        sources.append(read)
        channels.append(units)
    return _with_ends(nodes, sources[-1])


def _units(record: Record, incoming: Sequence[int]) -> int:
    layer = record.layer
    if isinstance(layer, Conv | Recurrent):
        return layer.out_channels
    if isinstance(layer, Linear):
        return layer.out_features
    return sum(incoming) if isinstance(layer, Concat) else incoming[0]


def _node(record: Record, incoming: int, units: int, read: tuple[int, ...]) -> Node | None:
    layer = record.layer
    work = float(incoming * units)
    if isinstance(layer, Conv):
        extents = [d * (k - 1) + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True)]
        return Node("conv", work / layer.groups, read, sum(extents) / 2)
    if isinstance(layer, Linear):
        return Node("fc", _FULLY_CONNECTED_SHARE * work, read)
    if isinstance(layer, Recurrent):
        return Node("recurrent", work, read)
    if isinstance(layer, MaxPool):
        return Node("max_pool", float(incoming), read)
    if isinstance(layer, AvgPool | GlobalAvgPool):
        return Node("avg_pool", float(incoming), read)
    return None


def _with_ends(nodes: list[Node], last: tuple[int, ...]) -> list[Node]:
    """The last layer decides; it, the input and an output get their masses."""
    decision = last[0] if len(last) == 1 and last[0] == len(nodes) - 1 and last[0] else None
    total = sum(node.mass for i, node in enumerate(nodes) if i != decision)
    end = max(total / 10, _LEAST_END)
    nodes = [Node("ip", end, ()), *nodes[1:]]
    if decision is not None:
        nodes[decision] = Node("decision", end, nodes[decision].parents)
    return [*nodes, Node("op", end, last)]


def label_costs(first: Profile, second: Profile) -> Floats:
    """What a unit of mass costs from each layer to each, by their kinds: float64 ``[n, m]``.

    Nothing within a kind, but between convolutions of k and l ``sqrt(2 |k - l|) / 10``; 0.5 between
    a maximum and a mean; ``NEVER`` between other kinds.
    """
    kinds = np.equal.outer(first.kinds, second.kinds)
    kernels = sqrt(2) / 10 * np.sqrt(np.abs(np.subtract.outer(first.kernels, second.kernels)))
    pools = [_KINDS.index(kind) for kind in _POOLS]
    both = np.logical_and.outer(np.isin(first.kinds, pools), np.isin(second.kinds, pools))
    return np.where(kinds, kernels, np.where(both, 0.5, NEVER))


def structure_costs(first: Profile, second: Profile) -> Floats:
    """How differently the layers are placed: mean difference of path lengths, ``[n, m]``."""
    apart: Floats = np.abs(first.paths[:, None] - second.paths[None]).mean(axis=2)
    return apart


def distance(first: Profile, second: Profile, structure_weight: float = 0.5) -> float:
    """The optimal transport distance; see ``distances``."""
    return float(distances(first, second, (structure_weight,))[0])


def distances(
    first: Profile, second: Profile, structure_weights: Sequence[float] = STRUCTURE_WEIGHTS
) -> Floats:
    """The optimal transport distance for each weight of the structure: float64 ``[weights]``.

    Symmetric, at least 0, and the triangle inequality holds; different networks may have distance
    0 (a convolution, and two of half its units side by side). Divided by the sum of both masses it
    is the paper's normalised distance. The cost is that of a network simplex of ``(n + 1) (m + 1)``
    arcs for each weight: 20 layers 0.1 ms, 60 layers 2 ms.

    Source: equations 3 and 5, as balanced transport with a sink on each side.
    """
    labels, structure = label_costs(first, second), structure_costs(first, second)
    scale = first.mass + second.mass
    here = np.append(first.masses, second.mass) / scale
    there = np.append(second.masses, first.mass) / scale
    there *= here.sum() / there.sum()  # the solver wants equal sums to the last bit
    solve, costs = _solver(), np.zeros((len(here), len(there)))
    costs[:-1, -1] = costs[-1, :-1] = LEFT_BEHIND
    found = []
    for weight in structure_weights:
        costs[:-1, :-1] = np.minimum(labels + weight * structure, NEVER)
        found.append(max(scale * float((solve(here, there, costs) * costs).sum()), 0.0))
    return np.array(found)


def _solver() -> Callable[[Floats, Floats, Floats], Floats]:
    """The exact transport of POT, which takes seconds to import.

    Not ``ot.emd``: what that checks around this takes fifty times as long as ten layers do.
    """
    from ot.lp.emd_wrap import emd_c

    def solve(here: Floats, there: Floats, costs: Floats) -> Floats:
        return emd_c(here, there, costs, 1_000_000, 1)[0]  # type: ignore[no-any-return]

    return solve
