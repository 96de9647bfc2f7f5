"""What every space promises, and what its networks do."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from autodl.config.components import table
from autodl.errors import ConfigError
from autodl.spaces.codec import decode_text, encode_text, load_architecture, save_architecture

# The network that each space is for; a space without an entry has none to test.
NETWORKS = {"CellSpace": "CellNetwork", "MobileSpace": "MobileNetwork"}


def load(section, name):
    return table(section)[name].load_factory()


def make(name):
    return load("Space", name)()


@pytest.fixture(params=sorted(table("Space")))
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
    assert len(set(found)) == len(found)


def test_all_randomness_comes_from_the_generator(space):
    assert samples(space, 5) == samples(space, 5)
    parent = space.sample(rng())
    assert space.mutate(parent, rng(1)) == space.mutate(parent, rng(1))
    assert len({space.mutate(parent, rng(seed)) for seed in range(20)}) > 10


def test_mutations_are_others_of_the_space_and_leave_their_parent_alone(space):
    for seed, parent in enumerate(samples(space)):
        before = encode_text(parent)
        child = space.mutate(parent, rng(seed))
        assert space.check(child) != parent
        assert encode_text(parent) == before


def test_encode_and_decode_are_inverses(space):
    for architecture in samples(space):
        parts = encoded(space, architecture)
        assert all(part.dtype == np.int64 for part in parts)
        assert space.decode(*parts) == architecture
        parts[0][...] = 0  # the arrays are the caller's
        assert space.decode(*encoded(space, architecture)) == architecture


def encoded(space, architecture):
    """What ``decode`` takes: some spaces have several arrays."""
    found = space.encode(architecture)
    return found if isinstance(found, tuple) else (found,)


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
    others = [make(other).sample(rng()) for other in table("Space") if other != name]
    for foreign in (*others, None, "architecture", 7):
        for use in (space.check, space.encode, lambda it: space.mutate(it, rng())):
            with pytest.raises(ConfigError) as caught:
                use(foreign)
            assert "\n" not in str(caught.value)


def test_canonical_forms_are_of_the_space_and_fixed(space):
    if not hasattr(space, "canonical"):
        return
    for architecture in samples(space, 10):
        form = space.canonical(architecture)
        assert space.check(form) == space.canonical(form)


def test_every_architecture_has_a_plan_for_the_pictures_it_is_given(space, name):
    if name not in NETWORKS:
        return
    make_plan = load("Network", NETWORKS[name])
    for architecture in samples(space, 6):
        plan = make_plan(architecture, classes=7, image_size=24)
        assert (plan.input_shape, plan.output_shape) == ((3, 24, 24), (7,))
        assert plan == make_plan(architecture, classes=7, image_size=24)
        assert plan.parameters > 0 < plan.macs
