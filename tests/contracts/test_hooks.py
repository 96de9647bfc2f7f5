"""What every hook keeps to: a training that is resumed after any epoch goes on bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.config.components import table
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.training_form import training_network
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


def make(name):
    around, own = HOOKS[name]
    hooks = () if around else ({"name": name, **own},)
    options = TrainOptions(epochs=3, batch_size=8, pad_crop=1, hooks=hooks, **around)
    plan = genotype_plan(
        published_genotype("DARTS_V1"), channels=2, layers=2, classes=4, image_size=16
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 16, 16, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(16) % 4)
    task = PictureTask.alone(pictures, Normalisation.of(pictures))
    return Trainer(training_network(plan, options, 0), task, recipe_of(options), 7)


@pytest.mark.parametrize("name", HOOKS)
def test_resuming_is_exact(name):
    states, whole = [], make(name)
    assert name in {part.name for part in recipe_hooks(whole)}
    whole.fit(lambda trainer: states.append(encode_state(trainer.state())))
    for state in states[:2]:
        resumed = make(name)
        resumed.restore(decode_state(state))
        resumed.fit()
        one, two = whole.state(), resumed.state()
        for group in ("network", "optimizer"):
            for key, value in one[group].items():
                np.testing.assert_array_equal(value, two[group][key], err_msg=key)
        assert [epoch["loss"] for epoch in one["curve"]] == [e["loss"] for e in two["curve"]]


def recipe_hooks(trainer):
    return trainer._recipe.hooks
