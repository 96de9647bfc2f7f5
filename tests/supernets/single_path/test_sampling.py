"""Architectures are uniform, belong to their update, and are the same after a pause."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import paddle
import pytest
from scipy.stats import chi2

from autodl.config.components import make_part
from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.spaces.rows import random_row
from autodl.spaces.subspace import Subspace
from autodl.supernets.single_path.costs import CostTable
from autodl.system.state import decode_state, encode_state
from autodl.training.fit import Trainer
from autodl.training.setting import Epoch

SIGNIFICANCE = 1e-6  # the seed is fixed: a uniform sampler fails for one seed in a million


def band(network):
    """A CostUniform path between the quarters of the costs of the space."""
    table = CostTable.of(network.blocks)
    rows = np.array([random_row(network.space.sizes, np.random.default_rng(n)) for n in range(99)])
    lowest, highest = np.quantile(table.macs(rows), [0.25, 0.75])
    return {
        "name": "CostUniform",
        "lowest": int(lowest),
        "highest": int(highest),
        "bins": 3,
        "tries": 100,
    }


PATHS = {"Uniform": lambda network: {}, "Fair": lambda network: {"name": "Fair"}, "cost": band}


def recipe(epochs=3, **path):
    options = TrainOptions(epochs=epochs, batch_size=8, pad_crop=1)
    return replace(recipe_of(options), path=make_part("Path", {"name": "Uniform", **path}))


def draw(network, task, epoch, count, seed=7, **path):
    path = Trainer(network, task, recipe(**path), seed).path
    path.before_epoch(Epoch(epoch, np.random.default_rng(), 0))
    return np.concatenate([[row for (row,) in path.choices()] for _ in range(count)])


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


@pytest.mark.parametrize("name", PATHS)
def test_a_draw_is_of_its_update_and_seed_alone(supernet, task, name):
    path = PATHS[name](supernet)
    together = draw(supernet, task, 0, 6, **path)  # two updates an epoch
    for epoch, part in enumerate(np.split(together, 3)):
        np.testing.assert_array_equal(draw(supernet, task, epoch, 2, **path), part)
    assert (draw(supernet, task, 0, 6, seed=8, **path) != together).any()


def test_fair_paths_have_each_value_once_in_an_update(supernet, task):
    size = supernet.space.sizes[0]
    drawn = draw(supernet, task, 0, 2_000, name="Fair").reshape(2_000, size, -1)
    np.testing.assert_array_equal(
        np.sort(drawn, axis=1), np.arange(size)[None, :, None] + 0 * drawn
    )
    check_uniform(drawn[:, 0, 0], size)  # which one is the first
    check_uniform(drawn[:, 0, 0] * size + drawn[:, 0, 1], size**2)  # and with which other


def test_an_update_of_several_paths_adds_their_gradients(supernet, task):
    """Blocks have the gradient of their one path, shared layers the sum; then there is one step."""
    rate, first = 0.1, encode_state({n: v.numpy() for n, v in supernet.state_dict().items()})
    batch = next(task.batches("train", 8))
    inputs, labels = paddle.to_tensor(batch.inputs), paddle.to_tensor(batch.targets)
    supernet.train()
    rows = [np.full(len(supernet.space.sizes), value) for value in range(supernet.space.sizes[0])]
    losses = [paddle.nn.functional.cross_entropy(supernet(inputs, row), labels) for row in rows]
    sum(losses).backward()
    weights = {name: value for name, value in supernet.named_parameters() if value.grad is not None}
    wanted = {name: value.numpy() - rate * value.grad.numpy() for name, value in weights.items()}
    supernet.clear_gradients()
    for name, value in decode_state(first).items():
        supernet.state_dict()[name].set_value(value)
    options = TrainOptions(epochs=1, batch_size=8, momentum=0.0, weight_decay=0.0, pad_crop=1)
    trainer = Trainer(supernet, task, recipe_of(options), 7)
    loss, tally = trainer._step(batch, rate, [(row,) for row in rows])
    assert float(loss) == pytest.approx(float(sum(losses)) / len(rows), rel=1e-6)  # float32
    assert 0 <= float(tally) <= 8
    assert len(wanted) > 10
    for name, value in wanted.items():  # sums in another order, float32
        np.testing.assert_allclose(weights[name].numpy(), value, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("name", PATHS)
def test_what_no_path_of_an_update_had_stays_bit_for_bit(supernet, task, name):
    """Weights, statistics and momentum, also after updates in which they had gradients."""
    path = PATHS[name](supernet)
    trainer = Trainer(supernet, task, recipe(**path), 7)
    trainer.updates(6, np.random.default_rng(0))
    supernet.left = Subspace(supernet.space, ((0, 1),) * len(supernet.space.sizes))
    before, paths, drawn = trainer.state(), trainer.path.choices, []

    def recorded():
        chosen = paths()
        drawn.extend(row for (row,) in chosen)
        return chosen

    trainer.path.choices = recorded
    trainer.updates(1, np.random.default_rng(1))
    after, idle = trainer.state(), 0
    used = {
        supernet.blocks.key(record.name, row)
        for row in drawn
        for record in supernet.alone(row).plan.records[1:]
    }
    for part in ("network", "optimizer"):
        for key, value in before[part].items():
            if key.rpartition(".")[0] not in used:
                np.testing.assert_array_equal(after[part][key], value, err_msg=key)
                idle += 1
    assert idle > 20
    assert {int(value) for row in drawn for value in row} <= {0, 1}


def test_costs_are_uniform_over_bins(supernet, task):
    path, table = band(supernet), CostTable.of(supernet.blocks)
    macs = table.macs(draw(supernet, task, 0, 1_000, **path))
    edges = np.linspace(path["lowest"], path["highest"], 4)
    bins = np.searchsorted(edges, macs, side="right") - 1
    assert set(bins) <= {0, 1, 2}
    if supernet.space.kind == "edge_cell":  # of chains this small some bins are nearly empty
        check_uniform(bins, 3)


def test_a_bin_that_nothing_is_in_gives_any_architecture(supernet, task):
    least = int(
        CostTable.of(supernet.blocks).macs(np.zeros((1, len(supernet.space.sizes)), int))[0]
    )
    path = {"name": "CostUniform", "lowest": least - 10, "highest": least + 1, "tries": 2}
    drawn = draw(supernet, task, 0, 1_000, **path, bins=9)
    check_uniform(drawn[:, 0], supernet.space.sizes[0])


def test_bounds_that_exclude_everything_are_refused(supernet, task):
    with pytest.raises(ConfigError, match=r"no architecture costs from 1 to 2 .* move lowest"):
        draw(supernet, task, 0, 1, name="CostUniform", lowest=1, highest=2)


def test_fair_needs_as_many_values_everywhere(supernet, task):
    sizes = supernet.space.sizes
    supernet.left = Subspace(supernet.space, ((0,), *((0, 1),) * (len(sizes) - 1)))
    with pytest.raises(ConfigError, match="all layers need as many; here are 1, 2"):
        draw(supernet, task, 0, 1, name="Fair")


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
