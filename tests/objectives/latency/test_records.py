"""Which layers the networks of a space are made of."""

from __future__ import annotations

from functools import partial

import numpy as np

from autodl.objectives.latency.records import distinct_networks, find_records, records_of, signature
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace

SMALL = CellSpace(nodes=2, operations=("conv_3x3", "max_pool_3x3", "skip_connect"))
make_plan = partial(cell_plan, width=8, cells_per_stage=1, bottleneck=2, image_size=8)


def test_all_layers_of_a_space_are_found() -> None:
    expected = {key for pair in SMALL.architectures() for key in records_of(make_plan(pair))}
    assert set(find_records(SMALL, make_plan, seed=0)) == expected


def test_layers_that_uniform_sampling_hardly_ever_shows() -> None:
    """A node that adds seven others, and a cell of eight outputs: one draw in 128 and 2e8."""
    space = CellSpace(nodes=8, operations=("skip_connect",), tied=True)
    found = find_records(space, make_plan, seed=0)
    assert {len(shapes) for layer, shapes in found.values() if type(layer).__name__ == "Add"} == {
        *range(2, 8)
    }
    assert {
        len(shapes) for layer, shapes in found.values() if type(layer).__name__ == "Concat"
    } == {*range(2, 9)}


def test_a_space_that_only_samples() -> None:
    class Only:
        def sample(self, rng):
            return SMALL.sample(rng)

    assert set(find_records(Only(), make_plan, seed=0)) == set(
        find_records(SMALL, make_plan, seed=1)
    )


def test_the_same_seed_finds_the_same() -> None:
    one, two = (find_records(SMALL, make_plan, seed=3, patience=2) for _ in range(2))
    assert list(one.items()) == list(two.items())


def test_networks_differ_from_each_other_and_from_the_known() -> None:
    first = distinct_networks(SMALL, make_plan, 10, np.random.default_rng(0))
    known = {signature(plan) for _, plan in first}
    assert len(known) == 10
    second = distinct_networks(SMALL, make_plan, 10, np.random.default_rng(0), known)
    assert known.isdisjoint(signature(plan) for _, plan in second)
    assert all(make_plan(architecture) == plan for architecture, plan in second)


def test_more_networks_than_there_are() -> None:
    space = CellSpace(nodes=1, operations=("conv_3x3", "conv_5x5"), tied=True)
    assert len(distinct_networks(space, make_plan, 3, np.random.default_rng(0))) == 2
