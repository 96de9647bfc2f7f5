"""Weights that are pulled back to a slow copy: by hand, with their time, and in a training."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.config.components import make_part
from autodl.errors import CheckpointError
from autodl.training.hooks.lookahead import Lookahead


def make(network, *, epochs=2, steps=6, **options):
    part = make_part("Hook", {"name": "Lookahead", **options})
    setting = SimpleNamespace(network=network, recipe=SimpleNamespace(epochs=epochs), steps=steps)
    return Lookahead(setting, part.options)


def test_every_third_update_by_hand():
    """12 updates that add 1: slow <- d slow + (1 - d) w with d = 0.8 (t / 12)^2, and w = slow."""
    network = nn.Linear(1, 1, bias_attr=False)
    network.weight.set_value(paddle.zeros([1, 1]))
    hook = make(network, every=3, decay=0.8, power=2.0)
    weight, slow = 0.0, 1.0  # the copy is made behind the first update
    for update in range(1, 13):
        weight += 1.0
        hook.before_step(SimpleNamespace(position=update - 1))
        network.weight.set_value(network.weight + 1.0)
        hook.after_step()
        if update % 3 == 0:
            decay = 0.8 * (update / 12) ** 2
            slow = decay * slow + (1 - decay) * weight
            weight = slow
        # float32 of numbers up to 10
        assert float(network.weight) == pytest.approx(weight, rel=1e-6)
    network.weight.set_value(network.weight + 5.0)
    hook.finish()
    assert float(network.weight) == pytest.approx(slow, rel=1e-6)


def test_a_clock_that_brings_the_schedule_forward_makes_the_pull_as_strong_as_at_the_end():
    """The third of 12 updates, at whose time the seconds are used up: d = 0.8, not 0.8 / 16."""
    network = nn.Linear(1, 1, bias_attr=False)
    network.weight.set_value(paddle.zeros([1, 1]))
    hook = make(network, every=3, decay=0.8, power=2.0)
    for position in (3, 7, 11):
        hook.before_step(SimpleNamespace(position=position))
        network.weight.set_value(network.weight + 1.0)
        hook.after_step()
    # the copy is of the first update; float32
    assert float(network.weight) == pytest.approx(0.8 * 1 + 0.2 * 3, rel=1e-6)


def test_batch_norm_statistics_are_pulled_back_too():
    norm = nn.BatchNorm2D(2)
    hook = make(norm, every=1, decay=1.0, power=0.0)
    hook.after_step()
    norm._mean.set_value(paddle.full([2], 3.0))
    hook.after_step()
    assert (norm._mean.numpy() == 0).all()


def test_without_an_update_the_end_changes_nothing():
    network = nn.Linear(2, 2)
    before = network.weight.numpy()
    make(network).finish()
    np.testing.assert_array_equal(network.weight.numpy(), before)


def test_an_end_before_the_first_pull_keeps_the_weights():
    """Three updates that add 1, and a pull after five: 3, not the 1 of the copy."""
    network = nn.Linear(1, 1, bias_attr=False)
    network.weight.set_value(paddle.zeros([1, 1]))
    hook = make(network, epochs=1, steps=3, every=5)
    for _ in range(3):
        network.weight.set_value(network.weight + 1.0)
        hook.after_step()
    hook.finish()
    assert float(network.weight) == 3.0


def test_state_of_another_network_is_refused():
    hook = make(nn.Linear(2, 2))
    hook.after_step()
    with pytest.raises(CheckpointError, match="slow weights of Lookahead are of another network"):
        make(nn.Linear(3, 2)).restore(hook.state())
