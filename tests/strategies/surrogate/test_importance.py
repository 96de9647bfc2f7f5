"""Importance of decisions: planted ones are found, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.spaces.cell.space import CellSpace
from autodl.strategies.surrogate.importance import (
    decision_importance,
    explanation,
    importance_in,
    one_hot,
)

SIZES = (3, 2, 4, 5)


def rows(count, seed=0):
    return np.random.default_rng(seed).integers(SIZES, size=(count, len(SIZES)))


def test_one_hot_has_a_one_for_every_decision():
    found = one_hot(np.array([[2, 0, 3, 4], [0, 1, 0, 0]]), SIZES)
    assert found.shape == (2, 14)
    assert np.flatnonzero(found[0]).tolist() == [2, 3, 8, 13]
    assert np.flatnonzero(found[1]).tolist() == [0, 4, 5, 9]


def test_a_planted_decision_has_nearly_all_the_importance():
    """Of a reward that is one decision's alone, shuffling it doubles the variance at most: 2."""
    table = rows(150)
    found, explained = decision_importance(table, table[:, 2] * 0.1, SIZES)
    assert explained > 0.95
    assert 1.5 < found[2] < 2.5
    assert max(np.delete(found, 2)) < 0.02


def test_decisions_that_act_together_both_matter():
    """An exclusive or has no main effect, and yet both decisions matter, others do not."""
    table = rows(300)
    reward = (table[:, 1] ^ (table[:, 0] == 1)).astype(float)
    found, explained = decision_importance(table, reward, SIZES)
    assert explained > 0.8
    assert min(found[:2]) > 0.5 > 10 * max(found[2:])


def test_of_noise_nothing_is_explained():
    noise = np.random.default_rng(1).normal(size=150)
    found, explained = decision_importance(rows(150), noise, SIZES)
    assert explained < 0.1
    assert max(found) < 0.5
    again, _ = decision_importance(rows(150), noise, SIZES)
    np.testing.assert_array_equal(found, again)


def test_what_was_tried_again_does_not_explain_itself():
    """Forty architectures, each there five times with one reward, which is noise."""
    again = np.repeat(rows(40), 5, axis=0)
    noise = np.repeat(np.random.default_rng(1).normal(size=40), 5)
    _, explained = decision_importance(again, noise, SIZES)
    assert explained < 0.1  # 0.94 if an architecture is on both sides
    assert "says nothing" in explanation(-0.1)
    assert explanation(0.25) == "a forest explains 25% of the variance of rewards"
    few = np.repeat(rows(20), 5, axis=0)  # two of them are equal
    with pytest.raises(ValueError, match="got 18"):
        decision_importance(few, noise[: len(few)], SIZES)


def test_the_scale_of_rewards_does_not_matter():
    table = rows(60)
    reward = table[:, 0] + 0.3 * table[:, 3]
    one, _ = decision_importance(table, reward, SIZES)
    other, _ = decision_importance(table, 4 * reward, SIZES)
    np.testing.assert_allclose(one, other, rtol=1e-9)  # times 4 is exact, so no split is another


@pytest.mark.parametrize("count, reward", [(29, None), (60, 0.5)])
def test_too_little_is_refused(count, reward):
    rewards = np.arange(count) if reward is None else np.full(count, reward)
    with pytest.raises(ValueError, match="needs 30 architectures of different rewards"):
        decision_importance(rows(count), rewards, SIZES)


def test_decisions_have_the_names_of_their_space():
    """Of a reward that is the second node's alone."""
    space = CellSpace(nodes=3, tied=True)
    drawn = [space.sample(np.random.default_rng(seed)) for seed in range(80)]
    found = importance_in(space, drawn, [float(one.normal.op_ids[1]) for one in drawn])
    assert found.decisions[0][0] == "node 1"
    assert {name for name, _ in found.decisions} == set(space.labels)
    assert found.explained > 0.5
