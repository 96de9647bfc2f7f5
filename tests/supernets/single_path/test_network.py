"""A path computes what the architecture alone does, and an update touches nothing else."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.networks.network import PlanNetwork
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.spaces.rows import random_row
from autodl.training.fit import Trainer
from autodl.training.hooks.hook import Path


def rows(network, count):
    rng = np.random.default_rng(1)
    return [random_row(network.space.sizes, rng) for _ in range(count)]


def test_alone_it_is_equal_to_the_last_bit(supernet):
    check_alone(supernet)


def test_so_it_is_in_a_supernet_of_shuffle_blocks(shuffles):
    check_alone(shuffles)
    assert shuffles.architectures == 256


def check_alone(supernet):
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype("float32"))
    for mode in ("train", "eval"):
        getattr(supernet, mode)()
        for row in rows(supernet, 4):
            alone = supernet.alone(row)
            assert type(alone) is PlanNetwork
            paddle.seed(1)  # dropout
            expected = alone(x).numpy()
            paddle.seed(1)
            np.testing.assert_array_equal(expected, supernet(x, row).numpy())


def test_a_copy_stays_when_the_supernet_moves(supernet):
    row = rows(supernet, 1)[0]
    alone = supernet.alone(row)
    before = {name: value.numpy() for name, value in alone.state_dict().items()}
    for value in supernet.state_dict().values():
        value.set_value(value + 1.0)
    for name, value in alone.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


class Fixed(Path):
    """A path that never changes."""

    def __init__(self, row):
        self.row = row

    def choose(self):
        return (self.row,)


@pytest.mark.parametrize("nesterov", [False, True])
def test_what_is_not_sampled_stays_bit_for_bit(supernet, task, nesterov):
    """Weights, statistics and momentum, also after steps in which they had gradients."""
    options = TrainOptions(epochs=9, batch_size=8, weight_decay=0.1, nesterov=nesterov, pad_crop=1)
    trainer = Trainer(supernet, task, recipe_of(options), 0)
    first, second = np.array([[2] * len(supernet.space.sizes), [1] * len(supernet.space.sizes)])
    rng = np.random.default_rng(0)
    for row in (second, first):
        trainer.path = Fixed(row)
        trainer.updates(2, rng)
    before = trainer.state()
    trainer.path = Fixed(second)
    trainer.updates(3, rng)
    after = trainer.state()
    used = {supernet.blocks.key(r.name, second) for r in supernet.alone(second).plan.records[1:]}
    idle, moved = 0, 0
    for part in ("network", "optimizer"):
        for name, value in before[part].items():
            if name.rpartition(".")[0] not in used:
                np.testing.assert_array_equal(after[part][name], value, err_msg=name)
                idle += 1
            elif name.partition("|")[0].endswith("conv.weight"):
                assert (after[part][name] != value).any(), name
                moved += 1
    assert idle > 20
    assert moved > 5


def test_batch_norms_neither_scale_nor_shift(supernet, task):
    trainer = Trainer(supernet, task, recipe_of(TrainOptions(epochs=1, batch_size=8)), 0)
    trainer.path = Fixed(rows(supernet, 1)[0])
    trainer.updates(2, np.random.default_rng(0))
    state = supernet.state_dict()
    scales = [v.numpy() for name, v in state.items() if name.endswith("norm.weight")]
    shifts = [v.numpy() for name, v in state.items() if name.endswith("norm.bias")]
    assert len(scales) == len(shifts) > 10
    assert all((scale == 1).all() for scale in scales)
    assert all((shift == 0).all() for shift in shifts)
    trained = sum(value.size for name, value in state.items() if "norm" not in name)
    assert supernet.trained_parameters == trained
