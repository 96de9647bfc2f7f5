"""Votes by hand, and greedy selection against every possible ensemble."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from autodl.release.voting import choose_votes, hard_vote, select_greedily, soft_vote
from autodl.trained.test_result import gain_interval

CHANCES = np.array([[[0.9, 0.1, 0.0]], [[0.2, 0.5, 0.3]], [[0.2, 0.6, 0.2]]])
EQUAL = np.ones(3)


def test_soft_and_hard_by_hand():
    soft = soft_vote(CHANCES, EQUAL)
    np.testing.assert_allclose(soft.probabilities, [[1.3 / 3, 1.2 / 3, 0.5 / 3]], rtol=1e-14)
    assert soft.agreement == pytest.approx([1 / 3])
    hard = hard_vote(CHANCES, EQUAL)
    np.testing.assert_allclose(hard.probabilities, [[1 / 3, 2 / 3, 0]], atol=1e-8)  # share of a tie
    assert hard.agreement == pytest.approx([2 / 3])


def test_weights_are_shares():
    weights = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(
        soft_vote(CHANCES, weights).probabilities,
        (CHANCES[1] + 3 * CHANCES[2]) / 4,
        rtol=1e-14,
    )
    assert soft_vote(CHANCES, weights).agreement == pytest.approx([1.0])
    for vote in (soft_vote, hard_vote):
        assert (
            vote(CHANCES, weights).probabilities == vote(CHANCES, weights * 8).probabilities
        ).all()


def test_a_tie_of_votes_goes_to_the_likelier_class():
    assert hard_vote(CHANCES[:2], np.ones(2)).probabilities.argmax() == 0
    assert hard_vote(CHANCES[:2] * [1, 1, 1], np.array([1.0, 1.0])).agreement == pytest.approx(
        [0.5]
    )


def test_rows_are_probabilities():
    chances = np.random.default_rng(0).dirichlet(np.ones(4), (5, 30))
    for vote in (soft_vote, hard_vote):
        found = vote(chances, np.arange(1.0, 6.0))
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-12)
        assert ((found.agreement >= 0) & (found.agreement <= 1)).all()


def test_where_all_agree_the_agreement_is_1_to_the_last_bit():
    """Shares of 13 votes do not sum to 1 in floating point; counts of votes do."""
    unanimous = np.tile(np.array([0.7, 0.3]), (6, 1, 1))
    weights = np.array([1.0, 1, 5, 3, 1, 2])
    for vote in (soft_vote, hard_vote):
        assert vote(unanimous, weights).agreement.tolist() == [1.0]


def accuracy(chances, labels, counts):
    return float((np.tensordot(counts, chances, axes=1).argmax(axis=1) == labels).mean())


def test_greedy_selection_is_never_worse_than_the_best_member_and_near_the_best_ensemble():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 3, 60)
        chances = rng.dirichlet(np.ones(3), (4, 60)) + 0.35 * np.eye(3)[labels]
        chances /= chances.sum(axis=2, keepdims=True)
        counts = select_greedily(chances, labels)
        found = accuracy(chances, labels, counts)
        singles = [accuracy(chances, labels, np.eye(4)[i]) for i in range(4)]
        every = [accuracy(chances, labels, c) for c in product(range(4), repeat=4) if any(c)]
        assert found >= max(singles)
        assert found >= max(every) - 2 / 60  # two pictures; selection is greedy, not exhaustive
        assert 1 <= counts.sum() <= 20


def test_a_single_member_and_a_useless_one():
    labels = np.array([0, 1])
    right, wrong = np.eye(2), np.eye(2)[::-1]
    assert select_greedily(np.stack([right]), labels).tolist() == [1]
    assert select_greedily(np.stack([wrong, right]), labels).tolist() == [0, 1]


def members_like(strengths, seed, count=300):
    """Probabilities of members that are right as often as their strength says, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    noise = rng.dirichlet(np.ones(3), (len(strengths), count))
    chances = noise + np.array(strengths)[:, None, None] * np.eye(3)[labels]
    return chances / chances.sum(axis=2, keepdims=True), labels


def test_votes_are_chosen_where_they_are_worth_it_on_other_pictures():
    """Of equal members selection follows the noise of its pictures; of very unequal ones not."""
    alike = [choose_votes(*members_like([0.3] * 6, seed)) for seed in range(5)]
    assert sum(choice.counts.tolist() == [1] * 6 for choice in alike) >= 4
    assert np.mean([choice.mean - choice.selected for choice in alike]) > 0
    chances, labels = members_like([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0)
    choice = choose_votes(chances, labels)
    assert choice.counts.tolist() == select_greedily(chances, labels).tolist()
    assert choice.counts[0] > choice.counts[1:].sum()
    assert choice.selected > choice.mean


def test_the_control_is_the_accuracy_of_equal_votes():
    chances, labels = members_like([0.4, 0.2], 1)
    choice = choose_votes(chances, labels)
    assert choice.mean == accuracy(chances, labels, np.ones(2))
    # every picture is scored once by votes that it had no part in: with as many folds as
    # pictures those of all others
    few, own = chances[:, :6], labels[:6]
    hits = [
        accuracy(few[:, [i]], own[[i]], select_greedily(np.delete(few, i, 1), np.delete(own, i)))
        for i in range(6)
    ]
    alone = choose_votes(few, own, folds=9)
    assert alone.selected == np.mean(hits)
    by_mean = few.mean(axis=0).argmax(axis=1) == own
    assert alone.interval == gain_interval(np.array(hits) == 1, by_mean)
    assert choose_votes(chances[:, :1], labels[:1]).counts.tolist() == [1, 1]
