"""Which layers of a space's plans belong to which decision: found by changing one at a time.

A decision owns the topmost folders of layer names in which it alone changes anything: what is in
such a folder is a block, and there is one for every value of the decision. So of an edge that
chooses between a 1x1 and a 3x3 convolution both have batch-norms of their own, although these look
the same. What no decision changes is shared by all architectures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodl.errors import ConfigError
from autodl.plans.plan import Plan, Record
from autodl.spaces.space import Coded, Integers
from autodl.trial import Architecture

MakePlan = Callable[[Any], Plan]
_PROBES = 20  # random architectures whose layers are looked for


@dataclass(frozen=True, slots=True)
class Blocks:
    """The layers of a space, by who decides about them.

    Args:
        owners: of each folder or layer that one decision alone changes, the decision; those inside
            it are not named again.
        chosen: for each decision and value the records that stand in its blocks.
        shared: the records that stand in every plan.
    """

    owners: Mapping[str, int]
    chosen: tuple[tuple[tuple[Record, ...], ...], ...]
    shared: tuple[Record, ...]

    def key(self, name: str, row: Integers) -> str:
        """Where the layer of a record is held, for the architecture of a row."""
        if (place := self._place(name)) is None:
            return name
        return f"{place}.choice{row[self.owners[place]]}{name[len(place) :]}"

    def owner(self, name: str) -> int | None:
        """The decision whose blocks a record of this name is in."""
        place = self._place(name)
        return None if place is None else self.owners[place]

    def _place(self, name: str) -> str | None:
        return next((place for place in _places(name) if place in self.owners), None)


def find_blocks(space: Coded[Architecture], make_plan: MakePlan) -> Blocks:
    """Take the plans of a space apart.

    Args:
        space: its plans name layers by position.
        make_plan: architecture -> plan.

    Raises:
        ConfigError: a layer with weights depends on several decisions at once, so that there is no
            block for each value of each.
    """
    start = np.zeros(len(space.sizes), np.int64)
    plans = [
        [make_plan(space.decode(_with(start, decision, value))) for value in range(size)]
        for decision, size in enumerate(space.sizes)
    ]
    by: dict[str, set[int]] = defaultdict(set)
    for decision, variants in enumerate(plans):
        for name in _differing(variants):
            for place in _places(name):
                by[place].add(decision)
    owners = {
        place: decisions.copy().pop() for place, decisions in by.items() if len(decisions) < 2
    }
    blocks = Blocks(owners, (), ())
    found = Blocks(
        owners,
        tuple(
            tuple(
                tuple(r for r in plan.records[1:] if blocks.owner(r.name) == decision)
                for plan in variants
            )
            for decision, variants in enumerate(plans)
        ),
        tuple(r for r in plans[0][0].records[1:] if blocks.owner(r.name) is None),
    )
    _check(space, make_plan, found)
    return found


def _check(space: Coded[Architecture], make_plan: MakePlan, blocks: Blocks) -> None:
    """Raise ConfigError unless the layers of random architectures are all there."""
    shared = {record.name: record.layer for record in blocks.shared}
    chosen = [
        [{record.name: record.layer for record in records} for records in variants]
        for variants in blocks.chosen
    ]
    rng = np.random.default_rng(0)
    for _ in range(_PROBES):
        row = rng.integers(np.asarray(space.sizes, np.int64))
        for record in make_plan(space.decode(row)).records[1:]:
            owner = blocks.owner(record.name)
            held = shared if owner is None else chosen[owner][row[owner]]
            if record.layer.parameters and held.get(record.name) != record.layer:
                raise ConfigError(
                    f"no supernet holds {type(space).__name__}: several decisions at once say what"
                    f" its layer {record.name} is; EdgeCellSpace, ChainSpace and ShuffleSpace have"
                    " one for each"
                )


def _with(row: Integers, place: int, value: int) -> Integers:
    changed = row.copy()
    changed[place] = value
    return changed


def _differing(plans: list[Plan]) -> set[str]:
    """Names of the records that some of the plans lack, or have otherwise."""
    layers = [{record.name: record.layer for record in plan.records[1:]} for plan in plans]
    names = set().union(*layers)
    return {name for name in names if any(one.get(name) != layers[0].get(name) for one in layers)}


def _places(name: str) -> Iterator[str]:
    """The folders around a layer from the outermost on, and the layer itself."""
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))
