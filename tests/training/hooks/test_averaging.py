"""The moving average of weights: its closed form, when it is taken, and what is refused."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.errors import CheckpointError
from autodl.training.hooks.averaging import WeightAverage

DECAY = 0.75


def changing(network, rng):
    """Other values for everything in the network; what they were is returned."""
    values = {}
    for name, value in network.state_dict().items():
        values[name] = rng.normal(size=value.shape).astype(np.float32)
        value.set_value(paddle.to_tensor(values[name]))
    return values


def test_closed_form():
    """After n updates: d^(n-1) w_1 + (1 - d) sum over k > 1 of d^(n-k) w_k."""
    network = nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4))
    average, rng, seen = WeightAverage(network, DECAY), np.random.default_rng(0), []
    for _ in range(6):
        seen.append(changing(network, rng))
        average.update()
    shares = np.array([DECAY**5, *((1 - DECAY) * DECAY ** np.arange(4, -1, -1))])
    assert shares.sum() == pytest.approx(1)
    last = {name: value.numpy() for name, value in network.state_dict().items()}
    average.apply()
    for name, value in network.state_dict().items():
        wanted = sum(share * values[name] for share, values in zip(shares, seen, strict=True))
        # six float32 roundings of values of about 1
        np.testing.assert_allclose(value.numpy(), wanted, atol=2e-6)
        assert (value.numpy() != last[name]).any()
    assert {name.split(".")[1] for name in last} == {"weight", "bias", "_mean", "_variance"}


def test_without_an_update_nothing_changes():
    network = nn.Linear(2, 2)
    before = network.weight.numpy()
    WeightAverage(network, DECAY).apply()
    assert (network.weight.numpy() == before).all()


def test_a_training_ends_with_the_average(make_trainer):
    """The same updates as without; only what the network has at the end differs."""
    plain = make_trainer(dropout=0.0)
    seen = []
    plain.fit(
        after_step=lambda: seen.append(
            {name: value.numpy() for name, value in plain.network.state_dict().items()}
        )
    )
    averaged = make_trainer(dropout=0.0, averaging=DECAY)
    averaged.fit()
    for name, value in averaged.network.state_dict().items():
        wanted = seen[0][name]
        for values in seen[1:]:
            wanted = DECAY * wanted + (1 - DECAY) * values[name]
        # 8 updates, a float32 rounding each
        np.testing.assert_allclose(value.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_in_between_the_network_has_its_own_weights(make_trainer):
    plain, averaged = make_trainer(), make_trainer(averaging=DECAY)
    plain.fit(until=3)
    averaged.fit(until=3)
    for left, right in zip(
        plain.network.state_dict().values(), averaged.network.state_dict().values(), strict=True
    ):
        assert (left.numpy() == right.numpy()).all()


def test_an_early_stop_takes_the_average_too(make_trainer):
    last = make_trainer(epochs=9, patience=1, min_improvement=0.9)
    averaged = make_trainer(epochs=9, patience=1, min_improvement=0.9, averaging=DECAY)
    assert last.fit() == averaged.fit() != ""
    pairs = zip(
        last.network.state_dict().values(), averaged.network.state_dict().values(), strict=True
    )
    assert any((left.numpy() != right.numpy()).any() for left, right in pairs)


def test_averages_of_another_network_are_refused():
    average = WeightAverage(nn.Linear(2, 2), DECAY)
    with pytest.raises(CheckpointError, match="of another network"):
        average.restore({"weight": np.zeros((3, 2), np.float32)})


def test_the_flat_key_averages_what_the_fast_recipe_keeps(make_airbench):
    """Six updates, of which Lookahead pulls the fifth back: the average is of those weights."""
    flat, named, none = (
        make_airbench(recipe="fast", **said)
        for said in ({"averaging": 0.5}, {"hooks": ({"name": "Averaging", "decay": 0.5},)}, {})
    )
    ends = []
    for trainer in (flat, named, none):
        trainer.fit()
        ends.append({name: value.numpy() for name, value in trainer.network.state_dict().items()})
    for name, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][name], err_msg=name)
    assert any((value != ends[2][name]).any() for name, value in ends[0].items())
