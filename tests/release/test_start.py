"""A training that starts from a released network."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.errors import ConfigError
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.release.network import classifier_of, load, names
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.airbench import airbench_plan
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer


def trainer_of(network, **said):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(8) % 4)
    task = PictureTask.alone(pictures, Normalisation.of(pictures))
    hooks = ({"name": "ReleasedStart", "network": names()[0]},)
    options = TrainOptions(epochs=1, batch_size=8, hooks=hooks, **said)
    return Trainer(network, task, recipe_of(options), 7)


@pytest.mark.parametrize("whiten", [False, True])
def test_all_weights_but_the_classifier_are_the_released_ones(whiten):
    released = load(names()[0])
    network = load(names()[0], pretrained=False, classes=4).network
    before = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    trainer_of(network, whiten=whiten)
    new = classifier_of(network.plan)
    for name, value in network.state_dict().items():
        known = before if name.startswith(f"{new}.") else released.network.state_dict()
        np.testing.assert_array_equal(np.asarray(value.numpy()), np.asarray(known[name]))


def test_a_state_that_is_restored_takes_the_place_of_the_start():
    one = trainer_of(load(names()[0], pretrained=False, classes=4).network)
    one.fit()
    other = trainer_of(load(names()[0], pretrained=False, classes=4).network)
    other.restore(one.state())
    for name, value in one.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), other.network.state_dict()[name].numpy())


def test_another_network_is_refused():
    network = training_network(airbench_plan(classes=4, widths=(2, 2, 2)), TrainOptions(), 0)
    with pytest.raises(ConfigError, match="is not one of"):
        trainer_of(network)
