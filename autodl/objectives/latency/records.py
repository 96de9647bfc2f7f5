"""Which layers the networks of a space are made of, found by sampling architectures."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

import numpy as np

from autodl.objectives.latency.table import keyed_records
from autodl.plans.layers import Layer, Shape
from autodl.plans.plan import Plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import Architecture
from autodl.spaces.space import Sampled

MakePlan: TypeAlias = Callable[[Architecture], Plan]
Signature: TypeAlias = tuple[str, ...]
Records: TypeAlias = dict[str, tuple[Layer, tuple[Shape, ...]]]


def records_of(plan: Plan) -> Records:
    """Layers of a plan and the shapes of their inputs, by key."""
    return {key: (record.layer, shapes) for key, record, shapes in keyed_records(plan)}


def find_records(
    space: Sampled[Architecture], make_plan: MakePlan, *, seed: int, patience: int = 1000
) -> Records:
    """Layers that the networks of a space are made of, by key.

    Stops when ``patience`` architectures in a row have shown nothing new.
    """
    rng = np.random.default_rng((seed, 0))
    found: Records = {}
    since_new = 0
    while since_new < patience:
        shown = records_of(make_plan(_sample_widely(space, rng)))
        since_new = since_new + 1 if shown.keys() <= found.keys() else 0
        found |= shown
    return found


def _sample_widely(space: Sampled[Architecture], rng: np.random.Generator) -> Architecture:
    """A random architecture; of cells, one whose nodes are densely or sparsely connected.

    With every edge as likely as not, a node of nine inputs or a cell of nine outputs would hardly
    ever be seen, but a strategy may well propose it.
    """
    if not isinstance(space, CellSpace):
        return space.sample(rng)
    tokens = rng.integers(len(space.operations), size=space.cells * space.nodes)
    bits = rng.random(space.cells * space.bits) < rng.random()
    return space.decode(np.concatenate([tokens, bits]))


def distinct_networks(
    space: Sampled[Architecture],
    make_plan: MakePlan,
    count: int,
    rng: np.random.Generator,
    known: Collection[Signature] = (),
) -> list[tuple[Architecture, Plan]]:
    """Random architectures and their plans, no two of the same layers and none in ``known``.

    Fewer than ``count`` where a thousand draws in a row give nothing new: the space has no more.
    """
    seen, networks, since_new = set(known), list[tuple[Architecture, Plan]](), 0
    while len(networks) < count and since_new < 1000:
        architecture = space.sample(rng)
        plan = make_plan(architecture)
        since_new += 1
        if signature(plan) not in seen:
            seen.add(signature(plan))
            networks.append((architecture, plan))
            since_new = 0
    return networks


def signature(plan: Plan) -> Signature:
    """The sorted keys of a plan's layers: all that predictions see of a network."""
    return tuple(sorted(key for key, _, _ in keyed_records(plan)))
