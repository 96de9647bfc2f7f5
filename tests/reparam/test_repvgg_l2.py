"""The decay of fused kernels as a term of the loss, in place of the optimiser's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from paddle import nn

from autodl.errors import ConfigError
from autodl.recipes.options import TrainOptions
from autodl.recipes.parts import WeightOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.repvgg import RepVGGBlock
from autodl.reparam.repvgg_l2 import RepVGGL2
from autodl.training.fit import make_optimizer

DECAY, RATE = 0.01, 0.5


def term_of(network, weight=DECAY):
    setting = SimpleNamespace(network=network, recipe=SimpleNamespace(section="Train"))
    return RepVGGL2(setting, WeightOptions(weight=weight))


def test_one_update_in_closed_form(tell):
    """No loss but the term: SGD without momentum takes RATE times its gradient, by hand.

    Off the centre that is the kernel's own decay; at the centre, with the factors t of the
    batch-norms, ``w (K3 t3 + K1 t1) t / (t3^2 + t1^2)``. float64: 1e-9.
    """
    network = nn.Sequential(RepVGGBlock(4, 4), nn.ReLU(), RepVGGBlock(4, 6))
    tell.randomise(network)
    term = term_of(network)
    options = TrainOptions(
        momentum=0, nesterov=False, weight_decay=DECAY, learning_rate=RATE, branches="repvgg"
    )
    optimizer = make_optimizer(network, recipe_of(options), RATE)
    before = {name: value.numpy().copy() for name, value in network.named_parameters()}
    loss = term.loss(SimpleNamespace(network=network))
    loss.backward()
    optimizer.step()
    total = 0.0
    for path in ("0", "2"):
        block = dict(network.named_sublayers())[path]
        k3, k1 = before[f"{path}.dense.0.weight"], before[f"{path}.point.0.weight"][:, :, 0, 0]
        t3, t1 = (
            before[f"{path}.{branch}.1.weight"]
            / np.sqrt(getattr(block, branch)[1]._variance.numpy() + np.float32(1e-5))
            for branch in ("dense", "point")
        )
        t3, t1 = t3[:, None], t1[:, None]
        fused, size = k3[:, :, 1, 1] * t3 + k1 * t1, t3**2 + t1**2
        total += (k3**2).sum() - (k3[:, :, 1, 1] ** 2).sum() + (fused**2 / size).sum()
        gradient = k3.copy()
        gradient[:, :, 1, 1] = fused * t3 / size
        now = {name: value.numpy() for name, value in block.named_parameters()}
        np.testing.assert_allclose(
            now["dense.0.weight"], k3 - RATE * DECAY * gradient, rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            now["point.0.weight"][:, :, 0, 0],
            k1 - RATE * DECAY * fused * t1 / size,
            rtol=1e-9,
            atol=1e-12,
        )
    assert loss.item() == pytest.approx(0.5 * DECAY * total, rel=1e-12)


def test_a_training_uses_it_as_the_config_says():
    """The kernels of the blocks carry no decay of the optimiser any more, others do."""
    options = TrainOptions(branches="repvgg", terms=({"name": "RepVGGL2", "weight": 5e-4},))
    recipe = recipe_of(options)
    assert [part.name for part in recipe.terms] == ["RepVGGL2"]
    network = nn.Sequential(RepVGGBlock(3, 4), nn.Conv2D(4, 4, 1))
    assert network[0].dense[0].weight.regularizer is None
    term_of(network)
    for branch in (network[0].dense, network[0].point):
        assert branch[0].weight.regularizer._coeff == 0
    assert network[1].weight.regularizer is None
    with pytest.raises(ConfigError, match=r"RepVGGL2 of Train is for RepVGG.*branches=repvgg"):
        term_of(nn.Sequential(nn.Conv2D(3, 3, 3)))
