"""What every hook keeps to: a training that is resumed after any epoch goes on bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.config.components import make_part, table
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.airbench import airbench_plan
from autodl.spaces.genotype.architecture import published_genotype
from autodl.spaces.genotype.plan import genotype_plan
from autodl.system.state import decode_state, encode_state
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer

# options of a Train section, beside the hook's name and its own
HOOKS = {
    "Whitening": ({}, {}),
    "DropPath": ({}, {"rate": 0.3}),
    "GrowingPictures": ({"first_size": 8, "grown_by": 8}, {}),
    "Averaging": ({}, {"decay": 0.7}),
    "UniformStart": ({}, {}),
    "DiracStart": ({}, {}),
    "BatchNorms": ({}, {"momentum": 0.6, "scale": False}),
    "Lookahead": ({}, {"every": 3, "power": 0.5}),
}
# resumed in test_transition.py and test_shrinking.py of tests/supernets, and in test_start.py of
# tests/release
OF_OTHER_ROOMS = {"ProjectionDescent", "ReleasedStart", "Shrinking"}


def test_every_hook_is_held_to_this():
    assert set(HOOKS) | OF_OTHER_ROOMS == set(table("Hook"))


PLAN = genotype_plan(published_genotype("DARTS_V1"), channels=2, layers=2, classes=4, image_size=16)
BIASED = airbench_plan(classes=4, image_size=16, widths=(4, 4, 4))  # in its first convolution


def of(name):
    """What a ``Train`` section says that has this hook."""
    around, own = HOOKS[name]
    return around or {"hooks": ({"name": name, **own},)}


def make(plan=PLAN, **said):
    options = TrainOptions(**{"epochs": 3, "batch_size": 8, "pad_crop": 1, **said})
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 16, 16, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(16) % 4)
    task = PictureTask.alone(pictures, Normalisation.of(pictures))
    return Trainer(training_network(plan, options, 0), task, recipe_of(options), 7)


@pytest.mark.parametrize("name", HOOKS)
def test_resuming_is_exact(name):
    assert name in {part.name for part in recipe_hooks(make(**of(name)))}
    check_resuming(**of(name))


def test_resuming_is_exact_while_a_bias_is_trained_and_behind():
    check_resuming(BIASED, hooks=({"name": "Whitening", "bias_epochs": 2},))


@pytest.mark.parametrize("recipe", ["fast", "fast-muon"])
def test_resuming_a_whole_recipe_is_exact(recipe):
    """Of four epochs the first three train the bias of the first layer; Lookahead pulls once."""
    check_resuming(BIASED, recipe=recipe, epochs=4)


@pytest.mark.parametrize("name", HOOKS)
def test_what_sets_first_weights_says_so(name):
    """Without it a training would begin with the network's own, as one that goes on from them."""
    plain, made = (
        {n: v.numpy() for n, v in make(**said).network.state_dict().items()}
        for said in ({}, of(name))
    )
    changed = any((plain[key] != value).any() for key, value in made.items())
    assert (
        changed == make_part("Hook", HOOKS[name][1] | {"name": name}).factory().sets_first_weights
    )


def check_resuming(*plan, **said):
    states, whole = [], make(*plan, **said)
    whole.fit(lambda trainer: states.append(encode_state(trainer.state())))
    for state in states[:-1]:
        resumed = make(*plan, **said)
        resumed.restore(decode_state(state))
        resumed.fit()
        one, two = whole.state(), resumed.state()
        for group in ("network", "optimizer"):
            for key, value in one[group].items():
                np.testing.assert_array_equal(value, two[group][key], err_msg=key)
        assert [epoch["loss"] for epoch in one["curve"]] == [e["loss"] for e in two["curve"]]


def recipe_hooks(trainer):
    return trainer._recipe.hooks
