"""Forty pictures of four plain colours, and the smallest cell network to train on them."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.networks.cell import build_network
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.training_form import training_network
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.classic.airbench import airbench_plan
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer

COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]])
ONE = CellPair(Cell((1,), ()), Cell((6,), ()))


@pytest.fixture(scope="session")
def pictures():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 4
    noise = rng.integers(-30, 31, size=(40, 8, 8, 3))
    images = (COLOURS[labels][:, None, None] + noise).clip(0, 255).astype(np.uint8)
    return Pictures(images, labels)


@pytest.fixture(scope="session")
def normalisation(pictures):
    return Normalisation.of(pictures)


@pytest.fixture
def make_network():
    def make(seed=0, dropout=0.5):
        paddle.seed(seed)
        return build_network(
            ONE, width=4, cells_per_stage=1, stages=2, classes=4, image_size=8, dropout=dropout
        )

    return make


@pytest.fixture
def make_trainer(pictures, normalisation, make_network):
    def make(network=None, pictures=pictures, seed=7, dropout=0.5, **options):
        plain = {"epochs": 4, "batch_size": 16, "pad_crop": 1}
        return Trainer(
            network or make_network(dropout=dropout),
            PictureTask.alone(pictures, normalisation),
            recipe_of(TrainOptions(**{**plain, **options})),
            seed,
        )

    return make


@pytest.fixture
def make_airbench():
    """Trainers of the smallest airbench, whose first convolution has a bias; 2 updates an epoch."""
    images = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(8) % 4)
    task = PictureTask.alone(pictures, Normalisation.of(pictures))
    plan = airbench_plan(classes=4, image_size=12, widths=(4, 4, 4))

    def make(**said):
        options = TrainOptions(**{"epochs": 3, "batch_size": 4, "pad_crop": 1, **said})
        return Trainer(training_network(plan, options, 0), task, recipe_of(options), 7)

    return make
