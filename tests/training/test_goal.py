"""Goals are found by the name that a task gives, those of plugins too."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.assemble import register
from autodl.errors import ConfigError, UnknownNameError
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.tasks.next_value import NextValue, load_next
from autodl.tasks.options import NextValueOptions
from autodl.training.fit import Trainer
from autodl.training.goal import Truth, goal_of, score
from autodl.training.goals.regression import Regression


class Robust(Regression):
    """Errors above 1 count by their size, not by their square."""

    def loss(self, outputs, truth):
        return F.smooth_l1_loss(outputs, truth.targets)


class Robustly(NextValue):
    goal = "robust"


@pytest.fixture
def task():
    loaded = load_next(NextValueOptions(targets=("level",)))
    values = {name: getattr(loaded, name) for name in NextValue.__dataclass_fields__}
    return Robustly(**{**values, "train": loaded.train[:60]})


def test_one_that_a_plugin_registered_trains_and_scores(own_tables, task):
    register("Goal", "robust", None, Robust)
    assert isinstance(goal_of(task), Robust)
    paddle.seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(task.signature.inputs)), 1))
    inputs, truth = next((b.inputs, Truth.of(b)) for b in task.batches("train", 1000))
    expected = float(F.smooth_l1_loss(network(paddle.to_tensor(inputs)), truth.targets))
    before = score(network, task, "train").value
    options = TrainOptions(epochs=3, batch_size=1000, learning_rate=1e-3, pad_crop=0, flip="none")
    trainer = Trainer(network, task, recipe_of(options), 0)
    trainer.fit()
    # one batch is all there is: the first loss is that of the network as it was; float32 sums
    assert trainer.curve[0]["loss"] == pytest.approx(expected, rel=1e-5)
    assert score(network, task, "train").value < before
    with pytest.raises(ConfigError, match="is for classes"):
        goal_of(task, 0.1)


def test_one_that_nobody_registered_is_named(own_tables, task):
    with pytest.raises(
        UnknownNameError, match=r"unknown goal 'robust'.*classification, regression"
    ):
        goal_of(task)
