"""How logits are moved: by which examples, by how much, and the same after a pause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import pytest

from autodl.config.components import make_part
from autodl.errors import ConfigError, DataError
from autodl.networks.network import PlanNetwork
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.supernets.relaxed import path as path_module
from autodl.supernets.relaxed.gradient import second_order
from autodl.supernets.relaxed.network import statistics_kept
from autodl.system.state import decode_state, encode_state
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Drawing
from autodl.training.fit import Trainer
from autodl.training.goal import Truth, goal_of
from autodl.training.optimizer_state import velocities
from autodl.training.setting import Epoch, Update

RATE = 0.01


def recipe(order, *, epochs=3, **options):
    train = {"nesterov": False, "weight_decay": 0.01, "momentum": 0.8, "gradient_clip": 5.0}
    train |= {"batch_size": 8, "pad_crop": 1, **options}
    settings = TrainOptions(epochs=epochs, **train)
    path = make_part("Path", {"name": "Relaxed", "order": order, "learning_rate": RATE})
    return replace(recipe_of(settings), path=path)


def values(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("order", [1, 2])
def test_resuming_is_exact(cells, task, order):
    first = encode_state(values(cells))

    def trainer():
        for name, value in decode_state(first).items():
            cells.state_dict()[name].set_value(value)
        return Trainer(cells, task, recipe(order), 7)

    states, whole = [], trainer()
    whole.fit(lambda one: states.append(encode_state(one.state())))
    wanted = encode_state(without_times(whole.state()))
    resumed = trainer()
    resumed.restore(decode_state(states[0]))
    resumed.fit()
    assert encode_state(without_times(resumed.state())) == wanted
    logits = [decode_state(state)["network"]["logits_edges"] for state in states]
    assert (logits[0] != logits[1]).all()


def without_times(state):
    curve = [
        {name: value for name, value in epoch.items() if "seconds" not in name}
        for epoch in state["curve"]
    ]
    return {**state, "curve": curve}


def test_the_curve_has_the_weights_and_their_entropy(cells, task):
    trainer = Trainer(cells, task, recipe(1, epochs=1), 7)
    trainer.fit()
    (epoch,) = trainer.curve
    weights = cells.weights()["edges"]
    names = cells.space.operations
    assert [epoch[f"edges/1-2/{name}"] for name in names] == weights[2].tolist()
    assert epoch["entropy"] == pytest.approx(-(weights * np.log(weights)).sum(axis=1).mean())


@pytest.mark.parametrize("order", [1, 2])
def test_a_step_of_the_logits_leaves_all_else_alone(cells, task, order):
    """Weights, their velocities and all statistics are the same bits; no gradient stays."""
    trainer = Trainer(cells, task, recipe(order), 7)
    trainer.fit(until=1)
    before, optimizer = values(cells), trainer.state()["optimizer"]
    batch = next(iter(task.batches("train", 8, Drawing(np.random.default_rng(0)))))
    trainer.path.before_step(Update(batch, 0.05, trainer._optimizer, 0))
    for name, value in values(cells).items():
        if name == "logits_edges":
            assert (value != before[name]).all()
        else:
            np.testing.assert_array_equal(value, before[name])
    for name, value in trainer.state()["optimizer"].items():
        np.testing.assert_array_equal(value, optimizer[name])
    assert all(one.grad is None for one in cells.parameters())


def test_updates_of_the_weights_leave_the_logits_alone(cells, task):
    trainer = Trainer(cells, task, recipe(1), 7)
    trainer.path.before_step = lambda update: None
    before = values(cells)
    trainer.fit(until=1)
    after = values(cells)
    np.testing.assert_array_equal(after["logits_edges"], before["logits_edges"])
    assert (after["stem.conv.weight"] != before["stem.conv.weight"]).any()


def test_held_out_batches_are_drawn_with_replacement_and_belong_to_their_update(cells, task):
    """Of 16 examples two batches of 8 are alike in part; the same updates have the same ones."""
    path = Trainer(cells, task, recipe(1), 7).path

    def drawn(epoch, count):
        path.before_epoch(Epoch(epoch, np.random.default_rng(), 0))
        return [path._drawn() for _ in range(count)]

    together = drawn(0, 4)  # two updates an epoch
    second = drawn(1, 2)
    for batch, again in zip(together[2:], second, strict=True):
        np.testing.assert_array_equal(batch.targets, again.targets)
    held_out = Trainer(cells, task, recipe(1, pad_crop=0, flip="none"), 7).path
    held_out.before_epoch(Epoch(0, np.random.default_rng(), 0))
    (known,) = task.batches("held_out", 16)
    rows = known.inputs.reshape(16, -1)
    found = [
        np.array([np.flatnonzero((rows == one.ravel()).all(axis=1))[0] for one in batch.inputs])
        for batch in (held_out._drawn() for _ in range(2))
    ]
    assert all(len(set(places.tolist())) == 8 for places in found)
    assert len(set(np.concatenate(found).tolist())) < 16


def test_the_first_step_is_adams_of_the_gradient(cells, task):
    """Behind one step Adam has moved every logit by its rate against its gradient's sign.

    The decay of 0.001 is far smaller than the gradients, and so is Adam's epsilon. Central
    differences over 0.1 of a logit, in float32, tell the sign of all but the smallest.
    """
    trainer = Trainer(cells, task, recipe(1, pad_crop=0, flip="none"), 7)
    path, goal = trainer.path, goal_of(task)
    path.before_epoch(Epoch(0, np.random.default_rng(), 0))
    held_out = path._drawn()
    path.before_epoch(Epoch(0, np.random.default_rng(), 0))
    start, truth = cells.logits["edges"].numpy(), Truth.of(held_out)

    def loss(logits):
        cells.logits["edges"].set_value(logits)
        with paddle.no_grad(), statistics_kept(cells):
            return float(goal.loss(cells(paddle.to_tensor(held_out.inputs)), truth))

    cells.train()
    slopes = np.zeros_like(start)
    for place in np.ndindex(start.shape):
        move = np.zeros_like(start)
        move[place] = 0.05
        slopes[place] = (loss(start + move) - loss(start - move)) / 0.1
    cells.logits["edges"].set_value(start)
    path.before_step(Update(held_out, 0.1, trainer._optimizer, 0))
    moved = cells.logits["edges"].numpy() - start
    np.testing.assert_allclose(np.abs(moved), RATE, rtol=0.02)
    clear = np.abs(slopes) > 0.2 * np.abs(slopes).max()
    assert clear.sum() > 5
    np.testing.assert_array_equal(np.sign(moved[clear]), -np.sign(slopes[clear]))


def test_the_second_order_is_of_the_step_that_sgd_would_make(cells, task, monkeypatch):
    """``rate (momentum m + g + decay w)`` is what the optimiser takes off, where nothing is cut."""
    trainer = Trainer(cells, task, recipe(2, gradient_clip=None), 7)
    trainer.fit(until=1)
    given = {}

    def noted(weights, logits, train, held_out, **options):
        given.update(weights=weights, train=train, **options)
        return second_order(weights, logits, train, held_out, **options)

    monkeypatch.setattr(path_module, "second_order", noted)
    batch = next(iter(task.batches("train", 8, Drawing(np.random.default_rng(0)))))
    trainer.path.before_step(Update(batch, 0.05, trainer._optimizer, 0))
    names = {id(one): name for name, one in cells.named_parameters()}
    assert {names[id(one)] for one in given["weights"]} == {
        name for name, one in cells.named_parameters() if not one.stop_gradient
    }
    start = [one.numpy() for one in given["weights"]]
    trainer._step(batch, 0.05, [()])
    slopes = slopes_behind(cells, given, start)
    for one, before, carried, slope in zip(
        given["weights"], start, given["carried"], slopes, strict=True
    ):
        expected = before - 0.05 * (carried.numpy() + slope)
        # float32: of weights near 1 a rounding is 6e-8, and gradients are summed in any order
        np.testing.assert_allclose(one.numpy(), expected, rtol=1e-5, atol=1e-6)


def slopes_behind(network, given, start):
    """Gradients of the training loss at the start."""
    end = [one.numpy() for one in given["weights"]]
    for one, value in zip(given["weights"], start, strict=True):
        one.set_value(value)
    given["train"]().backward()
    found = [one.grad.numpy() for one in given["weights"]]
    for one, value in zip(given["weights"], end, strict=True):
        one.clear_gradient(False)
        one.set_value(value)
    return found


def test_velocities_are_those_of_the_optimiser(cells, task):
    trainer = Trainer(cells, task, recipe(1), 7)
    weights = [cells.state_dict()["stem.conv.weight"]]
    assert float(velocities(trainer._optimizer, weights)[0].abs().sum()) == 0.0
    trainer.fit(until=1)
    np.testing.assert_array_equal(
        velocities(trainer._optimizer, weights)[0].numpy(),
        trainer.state()["optimizer"]["stem.conv.weight|velocity"],
    )


def test_other_networks_and_other_steps_are_refused(cells, task):
    plan = cells.plan
    with pytest.raises(ConfigError, match="the path Relaxed is for a mixture"):
        Trainer(PlanNetwork(stem_of(plan), 0), task, recipe(1), 7)
    with pytest.raises(ConfigError, match=r"order 2 looks behind a step of plain SGD"):
        Trainer(cells, task, recipe(2, nesterov=True), 7)
    Trainer(cells, task, recipe(1, nesterov=True), 7)
    with pytest.raises(DataError, match="held-out examples, and there are none"):
        Trainer(cells, PictureTask.alone(task.train, task.normalisation), recipe(1), 7)


def stem_of(plan):
    return replace(plan, records=plan.records[:2])
