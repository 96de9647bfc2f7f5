"""The search for bits: budgets are kept, roll-outs repeat and resume, and DDPG learns."""

import numpy as np
import pytest

from autodl.compression.bits import bit_search as module
from autodl.compression.bits.bit_agent import BitAgent
from autodl.compression.bits.bit_search import (
    BitSearch,
    Budget,
    _Search,
    best_within,
    observe,
    short_recipe,
)
from autodl.compression.bits.levels import Levels
from autodl.compression.bits.options import BitSearchOptions
from autodl.compression.bits.rounded_layers import layers_to_round, weights_of
from autodl.compression.choice import Task
from autodl.compression.errors import CompressionError
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.system.state import decode_state, encode_state

OPTIONS = {"rollouts": 4, "warm_up": 2, "updates": 1, "reward_pictures": 20, "batch_size": 8}


def task():
    import paddle
    from paddle import nn

    paddle.seed(0)
    network = nn.Sequential(
        nn.Conv2D(3, 8, 3), nn.BatchNorm2D(8), nn.ReLU(), nn.Conv2D(8, 4, 3), nn.Flatten(),
        nn.Linear(64, 4),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    data = Pictures(images, np.arange(60) % 4)
    layers = layers_to_round(network, keep_ends=False)
    train = TrainOptions(batch_size=20, learning_rate=0.01)
    return Task(network, layers, data, Normalisation.of(data), train, seed=0)


@pytest.mark.parametrize(
    "rate, highest",
    [
        (None, 0.01),
        ({"name": "constant", "learning_rate": 0.003}, 0.003),
        ({"name": "cosine", "learning_rate": 0.2, "warmup_epochs": 1}, 0.2),  # at its last step
    ],
)
def test_roll_outs_train_at_the_highest_rate_of_the_schedule_that_is_given(rate, highest):
    own = {"learning_rate": 0.01} if rate is None else {"rate": rate}
    train = TrainOptions(batch_size=20, epochs=4, **own)
    recipe = short_recipe(train, steps=3)
    assert recipe.schedule.options.learning_rate == pytest.approx(highest, rel=1e-15)
    assert (recipe.section, recipe.remedy) == ("Train", recipe_of(train).remedy)


@pytest.mark.parametrize("average", [2.0, 2.34, 3.0, 4.7])
def test_budget_is_never_exceeded(average):
    """Any wishes in any order; each layer has the least."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = tuple(rng.integers(1, 5000, size=rng.integers(1, 8)).tolist())
        budget, given = Budget(counts, average, 2, 8), {}
        for layer in rng.permutation(len(counts)).tolist():
            given[layer] = budget.clip(layer, int(rng.integers(2, 9)), given)
        assert min(given.values()) >= 2
        assert max(given.values()) <= 8
        spent = sum(counts[layer] * bits for layer, bits in given.items())
        assert spent <= average * sum(counts) * (1 + 1e-9)


def test_the_levels_of_the_layers_are_paid_for():
    """As they are in a packed file: two float32 numbers of a layer, 64 bits."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        counts = tuple(rng.integers(500, 5000, size=rng.integers(1, 8)).tolist())
        budget, given = Budget(counts, 3.0, 2, 8, levels=64), {}
        for layer in rng.permutation(len(counts)).tolist():
            given[layer] = budget.clip(layer, 8, given)
        stored = sum(
            Levels.even(0.0, 1.0, bits).storage_bits(counts[n]) for n, bits in given.items()
        )
        assert stored <= 3.0 * sum(counts) * (1 + 1e-9)
    with pytest.raises(CompressionError, match=r"with the levels of the layers 8\.400 on average"):
        Budget((10,), 3.0, 2, 8, levels=64)


def test_budgets_that_cannot_be_kept():
    for average, most in ((1.5, 8), (3.0, 1)):
        with pytest.raises(CompressionError, match="must be at least least_bits 2"):
            Budget((10,), average, 2, most)
        with pytest.raises(ValueError, match=f"at most average_bits {average:g} and most_bits"):
            BitSearch(BitSearchOptions(average_bits=average, most_bits=most))


def test_states():
    state = observe([[8, 3, 3, 3], [4, 10]], 1, 0.25)
    largest = np.log(10)
    expected = [0, 1, np.log(4) / largest, 1.0, 0, 0, 40 / 216, 0.25]
    np.testing.assert_allclose(state, expected, rtol=1e-6)


def test_search_keeps_the_weights_and_the_budget():
    whole, lines = task(), []
    whole.progress = lines.append
    before = {path: weights_of(layer) for path, layer in whole.layers.items()}
    choice = BitSearch(BitSearchOptions(average_bits=3.0, **OPTIONS)).choose(whole)
    rollouts = choice.details["rollouts"]
    assert lines[0].endswith("roll-outs of 2 to 8 bits for a layer, 3.000 on average at most")
    assert len(rollouts) == 4
    assert all(done["average_bits"] <= 3.0 + 1e-9 for done in rollouts)
    assert all(0 <= done["reward"] <= 1 for done in rollouts)
    best = max(rollouts, key=lambda done: done["reward"])
    assert {path: own.bits for path, own in choice.levels.items()} == best["bits"]
    for path, layer in whole.layers.items():
        np.testing.assert_array_equal(weights_of(layer), before[path])


def test_search_goes_on_where_it_was():
    """Bits and rewards, after a state that went through bytes; also of learnt roll-outs."""
    saved = []
    whole = task()
    whole.save = lambda state: saved.append(encode_state(state))
    expected = BitSearch(BitSearchOptions(**OPTIONS)).choose(whole).details["rollouts"]
    resumed = task()
    resumed.saved = decode_state(saved[2])
    found = BitSearch(BitSearchOptions(**OPTIONS)).choose(resumed).details["rollouts"]
    for kept in ("bits", "reward"):
        assert [done[kept] for done in found] == [done[kept] for done in expected]


@pytest.mark.parametrize("count", [0, 19, 20, 30])
def test_rewards_are_of_pictures_that_nothing_was_trained_on_if_there_are_enough(count):
    whole, lines = task(), []
    images = np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    whole.unseen = lambda: Pictures(images, np.arange(count) % 4)
    whole.progress = lines.append
    search = _Search(whole, BitSearchOptions(**OPTIONS))
    rewarding = search._rewarding.train.images
    assert len(rewarding) == 20
    assert all(any((one == known).all() for known in images) for one in rewarding) == (count >= 20)
    assert len(search._training.train) == (60 if count >= 20 else 40)
    details = BitSearch(BitSearchOptions(**OPTIONS)).choose(whole).details
    assert details["reward_pictures_trained_on"] == (count < 20)
    assert any("20 pictures that the network was trained on" in line for line in lines) == (
        count < 20
    )


def test_a_search_of_an_earlier_version_goes_on_as_it_was_begun():
    """Without levels in its budget, and with rewards of pictures of the training."""
    saved, options = [], {**OPTIONS, "count_levels": False}
    whole = task()
    whole.save = lambda state: saved.append(dict(state))
    expected = BitSearch(BitSearchOptions(**options)).choose(whole).details["rollouts"]
    old = {k: v for k, v in saved[1].items() if k not in ("trained_on", "levels_counted")}
    resumed = task()
    resumed.saved = decode_state(encode_state(old))
    resumed.unseen = lambda: pytest.fail("rewards of two kinds cannot be compared")
    details = BitSearch(BitSearchOptions(**OPTIONS)).choose(resumed).details
    assert [done["bits"] for done in details["rollouts"]] == [done["bits"] for done in expected]
    assert not details["levels_counted"]
    assert details["reward_pictures_trained_on"]
    assert BitSearchOptions(**OPTIONS).identity().keys() == {
        name for name in BitSearchOptions.model_fields if name != "count_levels"
    }


def test_seconds_are_of_computing_alone(monkeypatch):
    """Two whose processor time is the same end alike, whatever else the machine does."""
    monkeypatch.setattr(module, "compute_clock", lambda: iter(np.arange(0.0, 99.0)).__next__)
    found = BitSearch(BitSearchOptions(**{**OPTIONS, "rollouts": 99, "seconds": 6.5})).choose(
        task()
    )
    # the clock is read at the start, then before, in and behind each roll-out
    assert [done["seconds"] for done in found.details["rollouts"]] == [2.0, 5.0]
    assert found.seconds == 8.0


def test_best_within_seconds():
    rollouts = [
        {"seconds": 1.0, "reward": 0.2}, {"seconds": 2.0, "reward": 0.5},
        {"seconds": 9.0, "reward": 0.6},
    ]  # fmt: skip
    assert best_within(rollouts)["reward"] == 0.6
    assert best_within(rollouts, 3.0)["reward"] == 0.5
    assert best_within(rollouts, 0.1)["reward"] == 0.2  # a search has at least one


def test_agent_learns_what_pays():
    """Reward = the action: after 60 updates the policy's action has risen above 0.8."""
    agent = BitAgent(3, BitSearchOptions(actor_rate=1e-2), seed=0)
    rng = np.random.default_rng(0)
    state = np.float32([1, 0, 0.5])
    for _ in range(60):
        action = rng.random()
        agent.remember(state[None], np.float32([action]), action)
    agent.learn(60, rng)
    assert agent.act(state, 0.0, rng) > 0.8


@pytest.mark.parametrize(
    "options, said",
    [
        ({"reward_pictures": 50}, "leave 10 of 60 pictures"),
        ({"seconds": 1e-9}, "no roll-out fits"),
    ],
)
def test_refused(options, said):
    with pytest.raises(CompressionError, match=said):
        BitSearch(BitSearchOptions(**{**OPTIONS, **options})).choose(task())
