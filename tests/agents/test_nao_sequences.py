"""Tokens, targets and the order of pairs, against definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from autodl.agents.nao_sequences import Vocabulary, pairwise_accuracy, scaled


def test_positions_of_equal_size_share_tokens_and_each_has_its_own():
    vocabulary = Vocabulary((2, 5, 2, 3))
    assert vocabulary.tokens == 1 + 2 + 3 + 5
    assert vocabulary.allowed.sum(axis=1).tolist() == [2, 5, 2, 3]
    assert not vocabulary.allowed[:, 0].any()  # the token that begins is nowhere
    rows = np.array([[0, 4, 1, 2], [1, 0, 0, 0]])
    tokens = vocabulary.encode(rows)
    assert vocabulary.allowed[np.arange(4), tokens].all()
    np.testing.assert_array_equal(vocabulary.decode(tokens), rows)


def test_rewards_are_scaled_to_the_unit_interval():
    np.testing.assert_allclose(scaled(np.array([3.0, 5.0, 4.0])), [0, 1, 0.5], rtol=1e-15)
    np.testing.assert_array_equal(scaled(np.array([7.0, 7.0])), [0.5, 0.5])


def test_pairwise_accuracy_of_the_same_and_the_reverse_order():
    rewards = np.array([0.1, 0.4, 0.2, 0.9])
    assert pairwise_accuracy(np.exp(rewards), rewards) == 1
    assert pairwise_accuracy(-rewards, rewards) == 0
    assert np.isnan(pairwise_accuracy(rewards[:1], rewards[:1]))


def test_a_tie_counts_as_not_below_on_both_sides():
    """Pairs (0, 1), (0, 2), (1, 2): scores >=, <, <; rewards >=, >=, <: two of three agree."""
    assert pairwise_accuracy(np.array([1.0, 1, 2]), np.array([2.0, 1, 2])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(3))
def test_without_ties_it_is_kendalls_tau(seed):
    scores, rewards = np.random.default_rng(seed).normal(size=(2, 40))
    expected = (kendalltau(scores, rewards).statistic + 1) / 2
    assert pairwise_accuracy(scores, rewards) == pytest.approx(expected, rel=1e-12)
