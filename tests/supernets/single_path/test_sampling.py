"""Architectures are uniform, belong to their update, and are the same after a pause."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2

from autodl.config.components import make_part
from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.system.state import decode_state, encode_state
from autodl.training.fit import Trainer
from autodl.training.setting import Epoch

SIGNIFICANCE = 1e-6  # the seed is fixed: a uniform sampler fails for one seed in a million


def recipe(epochs=3):
    options = TrainOptions(epochs=epochs, batch_size=8, pad_crop=1)
    return replace(recipe_of(options), path=make_part("Path", {"name": "Uniform"}))


def draw(network, task, epoch, count, seed=7):
    path = Trainer(network, task, recipe(), seed).path
    path.before_epoch(Epoch(epoch, np.random.default_rng(), 0))
    return np.array([path.choose()[0] for _ in range(count)])


def test_draws_are_uniform_and_independent(supernet, task):
    """Chi-square of each decision, and of all pairs of adjacent ones, over 20,000 draws."""
    drawn, sizes = draw(supernet, task, 0, 20_000), supernet.space.sizes
    for place, size in enumerate(sizes):
        check_uniform(drawn[:, place], size)
    for first, second in pairwise(range(len(sizes))):
        check_uniform(
            drawn[:, first] * sizes[second] + drawn[:, second], sizes[first] * sizes[second]
        )


def check_uniform(values, size):
    expected = len(values) / size
    statistic = np.square(np.bincount(values, minlength=size) - expected).sum() / expected
    assert statistic < chi2.isf(SIGNIFICANCE, size - 1)


def test_a_draw_is_of_its_update_and_seed_alone(supernet, task):
    together = draw(supernet, task, 0, 6)  # two updates an epoch
    for epoch in range(3):
        np.testing.assert_array_equal(
            draw(supernet, task, epoch, 2), together[2 * epoch : 2 * epoch + 2]
        )
    assert (draw(supernet, task, 0, 6, seed=8) != together).any()


def test_resuming_is_exact(supernet, task):
    first = encode_state({name: v.numpy() for name, v in supernet.state_dict().items()})

    def trainer():
        for name, value in decode_state(first).items():
            supernet.state_dict()[name].set_value(value)
        return Trainer(supernet, task, recipe(), 7)

    states, whole = [], trainer()
    whole.fit(lambda one: states.append(encode_state(one.state())))
    wanted = whole.state()
    resumed = trainer()
    resumed.restore(decode_state(states[0]))
    resumed.fit()
    for name, value in wanted["network"].items():
        np.testing.assert_array_equal(resumed.state()["network"][name], value)


def test_a_network_without_paths_is_refused(task, supernet):
    plan: Plan = supernet.make_plan(supernet.space.decode(supernet.first_row()))
    with pytest.raises(ConfigError, match="the path Uniform is for supernets"):
        Trainer(PlanNetwork(plan, 0), task, recipe(), 7)
