"""Batch-norms as a hook sets them: what they remember, and what they learn."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.components import make_part
from autodl.errors import ConfigError
from autodl.training.hooks.batch_norms import BatchNorms

HOOK = {"name": "BatchNorms", "momentum": 0.6, "scale": False}


def test_statistics_follow_and_scales_stay(make_trainer):
    """mean <- 0.6 mean + 0.4 batch's; scales are 1 after training, shifts are not 0."""
    trainer = make_trainer(dropout=0.0, hooks=(HOOK,))
    norms = [layer for layer in trainer.network.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    assert norms
    for norm in norms:
        x = np.random.default_rng(0).normal(2.0, 1.0, (8, norm.weight.shape[0], 3, 3))
        norm.train()
        norm(paddle.to_tensor(x.astype(np.float32)))
        # float32 sums of 72 values
        np.testing.assert_allclose(norm._mean.numpy(), 0.4 * x.mean((0, 2, 3)), rtol=1e-5)
    trainer.fit()
    assert all((norm.weight.numpy() == 1).all() for norm in norms)
    assert all((norm.bias.numpy() != 0).any() for norm in norms)


def test_null_leaves_the_networks_own_momentum(make_trainer):
    networks = [make_trainer(hooks=hooks).network for hooks in ((), ({"name": "BatchNorms"},))]
    own, set_ = (
        [layer._momentum for layer in network.sublayers() if isinstance(layer, nn.BatchNorm2D)]
        for network in networks
    )
    assert own == set_


def test_a_network_without_any_is_refused():
    setting = SimpleNamespace(
        network=nn.Sequential(nn.Conv2D(3, 2, 1)), recipe=SimpleNamespace(section="Train")
    )
    with pytest.raises(ConfigError, match=r"BatchNorms of Train\.hooks is for networks with"):
        BatchNorms(setting, make_part("Hook", HOOK).options)


def test_norms_without_scales_have_none_to_put_back():
    """As those of supernets; the momentum is set in them too."""
    network = nn.Sequential(nn.BatchNorm2D(2, weight_attr=False), nn.BatchNorm2D(2))
    hook = BatchNorms(SimpleNamespace(network=network), make_part("Hook", HOOK).options)
    hook.before_epoch(None)
    network[1].weight.set_value(paddle.full([2], 3.0))
    hook.after_step()
    assert (network[1].weight.numpy() == 1).all()
    assert [norm._momentum for norm in network] == [0.6, 0.6]
