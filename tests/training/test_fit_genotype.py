"""Training genotype networks: each option acts, the objective is what it says, and resuming."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.errors import ConfigError
from autodl.networks.layers import DropPath
from autodl.recipes.config import load_train
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.genotype.architecture import Genotype, GenotypeCell
from autodl.spaces.genotype.plan import genotype_plan
from autodl.system.resources import resource
from autodl.system.state import decode_state, encode_state
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer
from autodl.training.goal import Truth
from autodl.training.goals.classification import Classification
from autodl.training.setting import Epoch
from autodl.training.terms.rademacher import sampled_complexity

CELL = GenotypeCell((("sep_conv_3x3", 0), ("max_pool_3x3", 1)), (2,))
PLAN = genotype_plan(Genotype(CELL, CELL), channels=2, layers=3, classes=4)
ALL = {"auxiliary_weight": 0.4, "drop_path": 0.5, "lrc_weight": 0.5}


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return Pictures(rng.integers(0, 256, (24, 32, 32, 3), np.uint8), np.arange(24) % 4)


@pytest.fixture
def make(pictures):
    def make(plan=PLAN, network_seed=1, **options):
        plain = {"epochs": 3, "batch_size": 12, "learning_rate": 0.05}
        chosen = TrainOptions(**{**plain, **options})
        network = training_network(plan, chosen, network_seed)
        return Trainer(
            network,
            PictureTask.alone(pictures, Normalisation.of(pictures)),
            recipe_of(chosen),
            seed=7,
        )

    return make


def weights(trainer):
    return {
        name: value.numpy()
        for name, value in trainer.network.state_dict().items()
        if not name.startswith("auxiliary.")
    }


def edges(network):
    return [layer for layer in network.sublayers() if isinstance(layer, DropPath)]


def gradients(trainer, epoch):
    """Of the first batch of an epoch, for the weights at the start."""
    images = np.random.default_rng(3).normal(size=(12, 3, 32, 32)).astype("float32")
    for hook in trainer.hooks:
        hook.before_epoch(Epoch(epoch, np.random.default_rng(0), 0))
        hook.before_step(SimpleNamespace(position=epoch * trainer._steps))
    paddle.seed(11)
    trainer.network.train()
    truth = Truth(paddle.to_tensor(np.arange(12) % 4))
    loss, logits = trainer._objective(paddle.to_tensor(images), truth)
    loss.backward()
    found = {n: p.grad.numpy() for n, p in trainer.network.named_parameters() if p.grad is not None}
    trainer._optimizer.clear_grad(set_to_zero=False)
    return found, float(loss), logits, truth


@pytest.mark.parametrize("option, value", ALL.items())
def test_each_option_changes_the_gradient(make, option, value):
    plain, *_ = gradients(make(), epoch=2)
    changed, *_ = gradients(make(**{option: value}), epoch=2)
    assert set(plain) <= set(changed)
    stem = plain["stem.conv.weight"], changed["stem.conv.weight"]
    # far above rounding, which is 1e-6 of the largest
    assert np.abs(stem[0] - stem[1]).max() > 1e-2 * np.abs(stem[0]).max()
    heads = {name for name in changed if name.startswith("auxiliary.")}
    assert bool(heads) == (option == "auxiliary_weight")
    assert all(np.abs(changed[name]).max() > 0 for name in heads if name.endswith("weight"))


@pytest.mark.parametrize("option, value", ALL.items())
def test_each_option_changes_what_is_learned(make, option, value):
    """An update later the weights differ, which start from the same values."""
    plain, changed = make(epochs=2), make(epochs=2, **{option: value})
    assert all((weights(plain)[n] == v).all() for n, v in weights(changed).items())
    plain.fit()
    changed.fit()
    assert not np.allclose(weights(plain)["stem.conv.weight"], weights(changed)["stem.conv.weight"])


def test_the_objective_is_the_sum_of_its_terms(make):
    trainer = make(auxiliary_weight=0.4, lrc_weight=0.5, label_smoothing=0.1)
    _, found, logits, truth = gradients(trainer, epoch=0)
    images = np.random.default_rng(3).normal(size=(12, 3, 32, 32)).astype("float32")
    again, head = trainer.network.with_auxiliary(paddle.to_tensor(images))
    np.testing.assert_array_equal(again.numpy(), logits.numpy())
    paddle.seed(11)  # the signs are the first that is drawn: no dropout at rate 0
    goal = Classification(label_smoothing=0.1)
    expected = float(goal.loss(logits, truth)) + 0.4 * float(goal.loss(head, truth))
    expected += 0.5 * float(sampled_complexity(logits, truth.targets))
    assert found == pytest.approx(expected, rel=1e-5)  # float32


def test_the_rate_of_dropped_edges_grows_by_epochs(make):
    trainer = make(epochs=4, drop_path=0.4)
    rates = []
    trainer.fit(lambda t: rates.append({layer.p for layer in edges(t.network)}))
    # float64 of one product and one quotient
    assert [sorted(rate) for rate in rates] == [
        pytest.approx([rate]) for rate in (0.0, 0.1, 0.2, 0.3)
    ]
    assert len(edges(trainer.network)) == 6


def test_a_dropped_edge_is_dropped_for_whole_pictures():
    layer = DropPath()
    ones = paddle.ones([2000, 2, 3, 3])
    assert layer(ones) is ones
    layer.p = 0.25
    paddle.seed(0)
    found = layer(ones).numpy().reshape(2000, -1)
    assert (found == found[:, :1]).all()
    np.testing.assert_allclose(np.unique(found), [0.0, 4 / 3], rtol=1e-6)  # float32
    assert abs((found[:, 0] == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 2000)
    layer.eval()
    assert layer(ones) is ones


def test_single_values_are_dropped_as_in_the_code_of_lrc(make):
    """By chance ``p`` each, scaled up; the configs of LRC ask for it, that of DARTS does not."""
    trainer = make(epochs=2, hooks=({"name": "DropPath", "rate": 0.5, "of": "values"},))
    trainer.fit()
    layer = edges(trainer.network)[0]
    assert layer.p == 0.25
    layer.train()
    paddle.seed(0)
    found = layer(paddle.ones([200, 2, 10, 10])).numpy()
    np.testing.assert_allclose(np.unique(found), [0.0, 4 / 3], rtol=1e-6)  # float32
    shares = (found == 0).reshape(200, -1).mean(axis=1)  # in every picture about a quarter
    assert np.abs(shares - 0.25).max() < 6 * np.sqrt(0.25 * 0.75 / 200)
    assert abs(shares.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / found.size)
    dropped = {
        name: [
            part.options.of
            for part in recipe_of(load_train(resource("configs") / name).train).hooks
            if part.name == "DropPath"
        ]
        for name in ("train/lrc.yaml", "train/lrc-imagenet.yaml", "train/darts-v2.yaml")
    }
    assert list(dropped.values()) == [["values"], ["values"], ["pictures"]]


def test_resuming_after_any_epoch_equals_an_unbroken_training(make):
    states = {}
    unbroken = make(mixup=0.5, **ALL)
    states[0] = encode_state(unbroken.state())
    unbroken.fit(lambda t: states.update({len(t.curve): encode_state(t.state())}))
    whole = unbroken.state()["network"]
    assert any(name.startswith("auxiliary.") for name in whole)
    for epoch in (0, 1, 2):
        other = make(network_seed=9, mixup=0.5, **ALL)
        paddle.seed(1000 + epoch)  # whatever a new process starts with
        other.restore(decode_state(states[epoch]))
        other.fit()
        for name, value in other.state()["network"].items():
            np.testing.assert_array_equal(value, whole[name], err_msg=name)
        assert [e["loss"] for e in other.curve] == [e["loss"] for e in unbroken.curve]


def test_options_for_other_networks_are_refused(make, pictures):
    quick = cifar_quick_plan(classes=4)
    with pytest.raises(ConfigError, match=r"Train\.auxiliary_weight 0\.4 is for networks with an"):
        make(quick, auxiliary_weight=0.4)
    with pytest.raises(ConfigError, match=r"Train\.drop_path 0\.2 is for networks with edges"):
        make(quick, drop_path=0.2)
    small = genotype_plan(Genotype(CELL, CELL), channels=2, layers=3, classes=4, image_size=16)
    with pytest.raises(ConfigError, match="on pictures of 32x32 or more"):
        make(small, auxiliary_weight=0.4)
    make(quick, lrc_weight=0.5)  # goes with every network
    with pytest.raises(ValueError, match="needs pictures of 32x32, first_size is 24"):
        TrainOptions(auxiliary_weight=0.4, first_size=24)


def test_runs_from_before_these_options_have_the_same_identity():
    plain = TrainOptions()
    assert not set(ALL) & set(plain.identity())
    assert set(ALL) <= set(TrainOptions(**ALL).identity())
