from __future__ import annotations

from math import log

import numpy as np
import pytest

from autodl.agents.surrogates.ablr import Ablr, TanhNetwork, Task, objective, train
from autodl.strategies.surrogate.candidates import all_rows
from autodl.strategies.surrogate.linear_regression import regressed

SIZES = (3, 4)
ROWS = all_rows(SIZES)


def tasks():
    rng = np.random.default_rng(0)
    return [Task(rng.random((n, 2)), rng.normal(size=n)) for n in (5, 0, 9)]


def test_the_gradient_matches_differences():
    network, some = TanhNetwork(2, (3, 4), seed=0), tasks()
    rng = np.random.default_rng(1)
    numbers = np.concatenate([network.parameters() + 0.1 * rng.normal(size=25), rng.random(6)])
    _, found = objective(network, some, numbers)
    for at in range(len(numbers)):
        move = np.zeros_like(numbers)
        move[at] = 1e-6
        high, low = (
            objective(network, some, moved)[0] for moved in (numbers + move, numbers - move)
        )
        # central differences of step 1e-6 have errors of about 1e-9
        assert found[at] == pytest.approx((high - low) / 2e-6, abs=1e-6)
    assert (found[25 + 2 : 25 + 4] == 0).all()  # the task without trials


def test_parameters_go_out_and_in():
    network, other = TanhNetwork(2, (3, 4), seed=0), TanhNetwork(2, (3, 4), seed=1)
    inputs = np.random.default_rng(0).random((5, 2))
    assert not np.array_equal(network(inputs).numpy(), other(inputs).numpy())
    other.set_parameters(network.parameters())
    assert np.array_equal(network(inputs).numpy(), other(inputs).numpy())


def sine(rng):
    """A task of the family sin(a x + b)."""
    a, b = rng.uniform(3, 4), rng.uniform(0, 0.6)
    return lambda x: np.sin(a * x + b)


def error(network, precisions, truth, seen):
    grid = np.linspace(0, 1, 60)[:, None]
    alpha, beta = precisions
    features = network(seen[:, None]).numpy()
    weights = regressed(features, truth(seen), alpha, beta).mean
    return float(np.abs(network(grid).numpy() @ weights - truth(grid[:, 0])).mean())


def test_features_learned_from_a_family_serve_a_new_task():
    """With five trials a network that other sines have trained is nearer in over 80 %."""
    rng = np.random.default_rng(0)
    past = []
    for _ in range(6):
        x = rng.random(12)
        past.append(Task(x[:, None], sine(rng)(x)))
    start = np.tile([0.0, log(100.0)], (6, 1))
    learned, fresh = (TanhNetwork(1, (12, 12), seed=0) for _ in range(2))
    precisions = train(learned, past, start, 40)
    own, wins = learned.parameters(), []
    for _ in range(10):
        truth, seen = sine(rng), rng.random(5)
        task = [Task(seen[:, None], truth(seen))]
        alone = TanhNetwork(1, (12, 12), seed=0)
        found = train(alone, task, start[:1], 30)[0]
        learned.set_parameters(own)
        wins.append(
            error(learned, precisions.mean(axis=0), truth, seen) < error(alone, found, truth, seen)
        )
    assert np.mean(wins) > 0.8
    assert not np.array_equal(own, fresh.parameters())


def test_a_search_without_history_learns_what_it_is_told():
    rewards = ROWS[:, 0] - 0.5 * ROWS[:, 1]
    rewards = (rewards - rewards.mean()) / rewards.std()
    model = Ablr(SIZES, width=8, steps=20)
    seen = np.arange(0, 12, 2)
    model.fit(ROWS[seen], rewards[seen])
    posterior = model.posterior(ROWS)
    assert np.corrcoef(posterior.mean, rewards)[0, 1] > 0.8
    assert posterior.variance[seen].mean() < posterior.variance[1::2].mean()


def test_history_is_believed_and_fitting_again_goes_back_to_it():
    rewards = np.sin(ROWS[:, 0] + 1.0) + 0.3 * ROWS[:, 1]
    rewards = (rewards - rewards.mean()) / rewards.std()
    model = Ablr(SIZES, width=8, steps=20)
    model.learn_from([(ROWS, rewards), (ROWS[::2], rewards[::2])])
    model.fit(ROWS[:0], np.empty(0))
    model.update(ROWS[[0, 5, 11]], rewards[[0, 5, 11]])
    expected = model.posterior(ROWS).mean
    assert np.corrcoef(expected, rewards)[0, 1] > 0.8
    model.fit(ROWS[:3], rewards[:3])
    model.fit(ROWS[:0], np.empty(0))
    model.update(ROWS[[0, 5, 11]], rewards[[0, 5, 11]])
    assert (model.posterior(ROWS).mean == expected).all()
