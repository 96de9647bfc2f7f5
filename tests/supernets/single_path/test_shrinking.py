"""What has not turned goes; no decision is emptied; a pause changes nothing."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest

from autodl.config.components import make_part
from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.spaces.subspace import Subspace
from autodl.supernets.single_path.angle import AngleTable
from autodl.supernets.single_path.shrinking import (
    Shrinking,
    most_rounds,
    scores,
    weakest,
    without,
)
from autodl.system.state import decode_state, encode_state
from autodl.training.fit import Trainer

CELLS = pytest.mark.parametrize("supernet", ["cells"], indirect=True)


class Rows:
    """A space of rows that are their own architectures."""

    kind = "rows"

    def __init__(self, *sizes):
        self.sizes = sizes


def separable(sizes, seed=0):
    """Scores of operations, and the measure that is their sum."""
    parts = [np.random.default_rng((seed, n)).normal(size=size) for n, size in enumerate(sizes)]
    places = range(len(sizes))
    return parts, lambda rows: sum(parts[place][rows[:, place]] for place in places)


def arrays(network):
    return {name: value.numpy() for name, value in network.named_parameters()}


def test_the_only_operation_that_moved_ranks_first(supernet):
    """Weights are planted; every other operation of its decision has a smaller mean angle."""
    place, value = 2, 1 if supernet.space.kind == "chain" else 3
    first = arrays(supernet)
    row = supernet.first_row()
    row[place] = value
    for record in supernet.blocks.chosen[place][value]:
        layer = supernet.layer(record, row)
        if not record.name.endswith("norm") and record.layer.parameters:
            layer.weight.set_value(-layer.weight)
    table = AngleTable.of(supernet.space, supernet.blocks, first, arrays(supernet))
    left = Subspace.all_of(supernet.space)
    scored = scores(left, table.angles, 100, np.random.default_rng(0))
    best = max((score, at, code) for at, s in enumerate(scored) for code, score in enumerate(s))
    assert best[1:] == (place, value)
    for _ in range(3):
        left = without(left, weakest(scored, 3))
        scored = scores(left, table.angles, 100, np.random.default_rng(0))
    assert value in left.values[place]


def test_scores_of_a_listed_space_are_means_over_all(supernet):
    """Of a sum of parts: the own part, and the means of the others."""
    left = without(Subspace.all_of(supernet.space), [(0, 1), (3, 0)])
    parts, measure = separable(supernet.space.sizes)
    found = scores(left, lambda rows: measure(left.in_whole(rows)), 7, np.random.default_rng(0))
    means = [part[list(codes)].mean() for part, codes in zip(parts, left.values, strict=True)]
    for place, codes in enumerate(left.values):
        others = sum(means) - means[place]
        np.testing.assert_allclose(found[place], parts[place][list(codes)] + others, rtol=1e-12)


def test_children_of_a_large_space():
    """So many new ones for each operation, none twice, and the means are near to the true ones."""
    sizes, drawn = (6,) * 10, []
    parts, measure = separable(sizes)

    def measured(rows):
        drawn.append(rows)
        return measure(rows)

    left = Subspace.all_of(Rows(*sizes))
    found = scores(left, measured, 300, np.random.default_rng(0))
    rows = np.concatenate(drawn)
    assert len(np.unique(rows, axis=0)) == len(rows)
    counts = [np.bincount(rows[:, place], minlength=6) for place in range(10)]
    assert min(map(min, counts)) >= 300
    means = [part.mean() for part in parts]
    # a mean of 300 sums of nine parts, each of deviation about 1: 0.17; four deviations
    for place, own in enumerate(parts):
        np.testing.assert_allclose(found[place], own + sum(means) - means[place], atol=0.7)


def test_what_no_allowed_architecture_has_goes_first():
    left = Subspace.all_of(Rows(3, 3))
    found = scores(left, lambda rows: np.where(rows[:, 0] == 1, np.nan, 1.0), 9, None)
    assert found[0].tolist() == [1.0, -np.inf, 1.0]
    assert weakest(found, 1) == [(0, 1)]


@pytest.mark.parametrize("drop", [1, 7, 1000, "every"])
@pytest.mark.parametrize("sizes", [(6, 7, 1, 3, 2), (5,) * 4, (2, 9)])
def test_no_decision_is_emptied_and_it_ends_in_time(sizes, drop):
    for seed in range(5):
        rng, target = np.random.default_rng(seed), 3
        left, rounds = Subspace.all_of(Rows(*sizes)), 0
        while prod(left.sizes) > target:
            before = left.sizes
            gone = weakest([rng.normal(size=size) for size in before], drop)
            left, rounds = without(left, gone), rounds + 1
            assert sum(before) - sum(left.sizes) == len(gone) > 0
            assert min(left.sizes) >= 1
            if drop == "every":
                assert left.sizes == tuple(max(size - 1, 1) for size in before)
            else:
                assert len(gone) <= drop
        assert rounds <= most_rounds(sizes, drop, target)


def test_the_longest_way_is_that_of_even_layers():
    assert most_rounds((3, 3), 1, 4) == 2  # 6, 4
    assert most_rounds((9, 2), 1, 9) == 5  # 16, 14, 12, 10, 8
    assert most_rounds((5,) * 6, "every", 1000) == 2  # 4096, 729
    assert most_rounds((2, 2), 1, 4) == 0


def shrinking(**options):
    options = {"first_epochs": 1, "epochs": 1, "drop": 6, "target": 500, **options}
    return {"name": "Shrinking", **options}


def make(network, task, path="Uniform", epochs=4, **options):
    train = TrainOptions(
        epochs=epochs, batch_size=8, pad_crop=1, learning_rate=0.05, hooks=(shrinking(**options),)
    )
    recipe = replace(recipe_of(train), path=make_part("Path", {"name": path}))
    return Trainer(network, task, recipe, 7)


@CELLS
def test_a_training_shrinks_its_space_and_a_pause_changes_nothing(supernet, task):
    """Resumed behind the first and the second shrinking: bit for bit, with the same space left."""
    first = encode_state({name: v.numpy() for name, v in supernet.state_dict().items()})

    def trainer():
        for name, value in decode_state(first).items():
            supernet.state_dict()[name].set_value(value)
        supernet.left = Subspace.all_of(supernet.space)
        return make(supernet, task)

    states, whole = [], trainer()
    whole.fit(lambda one: states.append(encode_state(one.state())))
    wanted, left = whole.state(), supernet.left.values
    sizes = [epoch["architectures_left"] for epoch in whole.curve]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1]
    assert 500 >= sizes[-1] == prod(supernet.left.sizes)
    for state in states[:2]:
        resumed = trainer()
        resumed.restore(decode_state(state))
        resumed.fit()
        assert supernet.left.values == left
        for name, value in wanted["network"].items():
            np.testing.assert_array_equal(resumed.state()["network"][name], value)


def test_fair_paths_shrink_evenly(supernet, task):
    target = 4096 if supernet.space.kind == "edge_cell" else 256
    make(supernet, task, "Fair", epochs=2, drop="every", target=target).fit()
    assert len({*supernet.left.sizes}) == 1
    assert prod(supernet.left.sizes) == target


@pytest.mark.parametrize("shared", [True, False])
def test_what_all_share_decides_unless_it_is_left_out(supernet, task, shared):
    """It has turned by pi, operations by little: with it, those that have weights go."""
    supernet.left = Subspace.all_of(supernet.space)
    (shrinks,) = make(supernet, task, drop="every", target=5000, shared=shared).hooks
    rng = np.random.default_rng(0)
    held = dict(supernet.named_parameters())
    for name, weight in held.items():
        moved = weight.numpy() * rng.uniform(0.8, 1.2, weight.shape).astype(np.float32)
        weight.set_value(moved if ".choice" in name else -weight)
    shrinks.before_epoch(SimpleNamespace(number=0))
    shrinks.after_epoch()
    lost = [
        (place, value)
        for place, size in enumerate(supernet.space.sizes)
        for value in set(range(size)) - set(supernet.left.values[place])
    ]
    assert len(lost) == len(supernet.space.sizes)
    weighty = [any(".weight" in name for name in names_of(supernet, *one, held)) for one in lost]
    if shared:
        assert all(weighty)
    elif supernet.space.kind == "edge_cell":  # an identity of a chain is an empty vector
        assert not any(weighty)


def names_of(supernet, place, value, held):
    """The weights that are of one value of a decision alone."""
    row = supernet.first_row()
    row[place] = value
    keys = {
        f"{supernet.blocks.key(record.name, row)}.weight"
        for record in supernet.blocks.chosen[place][value]
    }
    return keys & {*held}


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"target": 10**6}, "no more than target 1,000,000: nothing is to go"),
        ({"first_epochs": 9}, r"may take \d times 1 epochs behind the first 9: let Train.epochs"),
        ({"most_macs": 5}, "no architecture has 5 multiply-accumulates or fewer"),
        ({"path": "Fair"}, "set drop: every"),
    ],
)
def test_mistakes(supernet, task, options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        make(supernet, task, **options)


@CELLS
def test_a_network_without_paths_is_refused(supernet, task):
    plan = supernet.make_plan(supernet.space.decode(supernet.first_row()))
    train = TrainOptions(epochs=9, batch_size=8, hooks=(shrinking(),))
    with pytest.raises(ConfigError, match=r"Shrinking of Train\.hooks is for supernets"):
        Trainer(PlanNetwork(plan, 0), task, recipe_of(train), 0)
    assert Shrinking.key == "shrinking"
