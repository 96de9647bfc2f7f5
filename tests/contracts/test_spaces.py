"""What every space promises, and what its networks do."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from math import prod

import numpy as np
import pytest
from own_space_for_tests import Signs

from autodl.config.components import table
from autodl.errors import ConfigError, EncodingError
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import decode_text, encode_text, load_architecture, save_architecture
from autodl.spaces.rows import random_row, variation
from autodl.spaces.space import Blocked, Coded, Costed, Labelled, Named, Stepwise, Twinned
from autodl.spaces.width.space import make_width_space

# The network that each space is for, what it is told, and the shapes that it then takes and gives;
# a space without an entry has none to test.
PICTURES = ({"classes": 7, "image_size": 24}, (3, 24, 24), (7,))
SERIES = ({"channels": 2, "length": 21, "outputs": 5}, (2, 21), (5,))
NETWORKS = {
    "CellSpace": ("CellNetwork", *PICTURES),
    "ChainSpace": ("ChainNetwork", *PICTURES),
    "EdgeCellSpace": ("EdgeCellNetwork", *PICTURES),
    "GenotypeSpace": ("OwnGenotype", *PICTURES),
    "MobileSpace": ("MobileNetwork", *PICTURES),
    "SequenceSpace": ("SequenceNetwork", *SERIES),
    "ShuffleSpace": ("ShuffleNetwork", *PICTURES),
    "StageSpace": ("StageNetwork", *PICTURES),
}
# Spaces that no section names: cells that are tied, those of a width search, and a user's own.
OTHERS = {
    "tied cells": lambda: CellSpace(nodes=4, tied=True),
    "widths": lambda: make_width_space("resnet20", (4, 8, 16)),
    "tied widths": lambda: make_width_space("resnet20", (4, 8, 16), blockwise=True),
    "widths of mobilenet_v2": lambda: make_width_space("mobilenet_v2", (8, 12, 16, 20)),
    "own": Signs,
}


def load(section, name):
    return table(section)[name].load_factory()


def make(name):
    return OTHERS[name]() if name in OTHERS else load("Space", name)()


@pytest.fixture(params=[*sorted(table("Space")), *OTHERS])
def name(request):
    return request.param


@pytest.fixture
def space(name):
    return make(name)


def rng(seed=0):
    return np.random.default_rng((7, seed))


def samples(space, count=30):
    return [space.sample(rng(seed)) for seed in range(count)]


def test_samples_are_of_the_space_and_hardly_ever_alike(space):
    found = samples(space)
    assert all(space.check(architecture) is architecture for architecture in found)
    assert len(set(found)) >= (len(found) if prod(space.sizes) > 10_000 else 20)


def test_all_randomness_comes_from_the_generator(space):
    assert samples(space, 5) == samples(space, 5)
    parent, mutate = space.sample(rng()), variation(space, "the test")
    assert mutate(parent, rng(1)) == mutate(parent, rng(1))
    assert len({mutate(parent, rng(seed)) for seed in range(20)}) > 5


def test_mutations_are_others_of_the_space_and_leave_their_parent_alone(space):
    for seed, parent in enumerate(samples(space)):
        before = encode_text(parent)
        child = variation(space, "the test")(parent, rng(seed))
        assert space.check(child) != parent
        assert encode_text(parent) == before


def test_encode_and_decode_are_inverses(space):
    for architecture in samples(space):
        row = space.encode(architecture)
        assert (row.dtype, row.shape) == (np.int64, (len(space.sizes),))
        assert ((row >= 0) & (row < space.sizes)).all()
        assert space.decode(row) == architecture
        row[...] = 0  # the array is the caller's
        assert space.decode(space.encode(architecture)) == architecture


def test_every_row_of_the_sizes_is_an_architecture_and_others_are_refused_in_one_line(space):
    assert isinstance(space, Coded)
    for seed in range(30):
        row = random_row(space.sizes, rng(seed))
        architecture = space.decode(row)
        assert space.check(architecture) is architecture
        np.testing.assert_array_equal(space.encode(architecture), row)
    beyond, below = row.copy(), row.copy()
    place = seed % len(row)
    beyond[place], below[place] = space.sizes[place], -1
    for bad in (row[:-1], np.append(row, 0), row.astype(float), beyond, below):
        with pytest.raises(EncodingError) as caught:
            space.decode(bad)
        assert "\n" not in str(caught.value)


def test_steps_and_blocks_are_views_of_the_row(space):
    if isinstance(space, Stepwise):
        flat = [p for step in space.steps for p in (step if isinstance(step, tuple) else (step,))]
        assert sorted(flat) == list(range(len(space.sizes)))
        assert all(space.sizes[p] == 2 for s in space.steps if isinstance(s, tuple) for p in s)
    if isinstance(space, Blocked):
        assert space.choices * (len(space.sizes) // len(space.choices)) == space.sizes
    assert min(space.sizes) >= 1


def test_labels_name_every_decision(space):
    if isinstance(space, Labelled):
        assert len(space.labels) == len(set(space.labels)) == len(space.sizes)


def test_what_decisions_add_is_what_the_whole_costs(space):
    if not isinstance(space, Costed):
        return
    rows = np.stack([space.encode(architecture) for architecture in samples(space)])
    added = sum(space.added_cost(rows[:, : n + 1]) for n in range(len(space.sizes)))
    np.testing.assert_array_equal(added, space.macs(rows))


def test_architectures_are_immutable_values(space):
    architecture = space.sample(rng())
    again = space.sample(rng())
    assert architecture is not again
    assert (architecture, hash(architecture)) == (again, hash(again))
    with pytest.raises(FrozenInstanceError):
        setattr(architecture, fields(architecture)[0].name, None)


def test_the_codec_knows_its_architectures(space, tmp_path):
    for architecture in samples(space):
        text = encode_text(architecture)
        assert decode_text(text) == architecture
        assert encode_text(decode_text(text)) == text
        value = json.loads(text)
        assert (value["kind"], type(value["version"])) == (space.kind, int)
    save_architecture(architecture, tmp_path / "architecture.json")
    assert load_architecture(tmp_path / "architecture.json") == architecture


def test_what_is_of_another_space_is_refused_in_one_line(space, name):
    every = [make(other) for other in [*table("Space"), *OTHERS] if other != name]
    others = [other.sample(rng()) for other in every if other.kind != space.kind]
    mutate = variation(space, "the test")
    for foreign in (*others, None, "architecture", 7):
        for use in (space.check, space.encode, lambda it: mutate(it, rng())):
            with pytest.raises(ConfigError) as caught:
                use(foreign)
            assert "\n" not in str(caught.value)


def test_canonical_forms_are_of_the_space_and_fixed(space):
    if not isinstance(space, Named):
        return
    for architecture in samples(space, 10):
        form = space.canonical(architecture)
        assert space.check(form) == space.canonical(form)


def test_twins_are_of_the_space_and_have_one_form(space):
    if not isinstance(space, Twinned):
        return
    for number, architecture in enumerate(samples(space, 10)):
        twin = space.check(space.twin(architecture, rng(number)))
        assert space.canonical(twin) == space.canonical(architecture)


def test_every_architecture_has_a_plan_for_the_examples_it_is_given(space, name):
    if name not in NETWORKS:
        return
    network, told, taken, given = NETWORKS[name]
    make_plan = load("Network", network)
    for architecture in samples(space, 6):
        plan = make_plan(architecture, **told)
        assert (plan.input_shape, plan.output_shape) == (taken, given)
        assert plan == make_plan(architecture, **told)
        assert plan.parameters > 0 < plan.macs
