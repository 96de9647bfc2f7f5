"""Synthetic rewards by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.evaluation.synthetic import TargetMatch, TokenCount
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.mobile.space import MobileSpace


class Other:
    def to_json(self):
        return {"kind": "other", "version": 1}


@pytest.mark.parametrize(
    "token, tokens, reward", [(1, [1, 1, 0, 1], 3), (0, [1, 1, 0, 1], 1), (7, [1, 1, 0, 1], 0)]
)
def test_both_cells_are_counted(token, tokens, reward):
    found = TokenCount(token)(CellPair.from_tokens(tokens, [1, 0]), np.random.default_rng(0))
    assert found.reward == reward
    assert isinstance(found.reward, float)


def test_other_architectures_are_refused():
    with pytest.raises(ConfigError, match="TokenCount scores cell pairs"):
        TokenCount()(Other(), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="TargetMatch scores mobile networks"):
        TargetMatch()(Other(), np.random.default_rng(0))


def scores(task, architectures):
    return np.array([task(a, np.random.default_rng(0)).reward for a in architectures])


def test_the_share_of_matching_primitives_is_the_reward():
    space, task = MobileSpace(), TargetMatch(5)
    codes = space.encode(task.target)
    assert task(task.target, np.random.default_rng(0)).reward == 1.0
    for wrong, (block, primitive) in enumerate([(0, 0), (3, 4), (6, 2)], start=1):
        place = 5 * block + primitive
        codes[place] = (codes[place] + 1) % space.choices[primitive]
        assert scores(task, [space.decode(codes)]) == [(35 - wrong) / 35]


@pytest.mark.parametrize("moved", [0, 1, 6, 35])
def test_a_related_task_differs_in_as_many_primitives_as_are_moved(moved):
    space = MobileSpace()
    for seed in range(5):
        target, other = TargetMatch(seed).target, TargetMatch(seed, moved=moved).target
        assert (space.encode(target) != space.encode(other)).sum() == moved


def correlation(task, other):
    """Of two tasks' rewards over the whole space, in closed form.

    A primitive of n choices contributes a covariance of 1/n - 1/n^2 where the targets agree, as to
    the variance, and of -1/n^2 where they do not.
    """
    space = MobileSpace()
    same = space.encode(task.target) == space.encode(other.target)
    share = 1 / np.array(space.sizes)
    return (share * same - share**2).sum() / (share - share**2).sum()


def test_rewards_of_related_tasks_go_together_and_those_of_others_do_not():
    """Unrelated targets agree by chance: no correlation on average, 0.11 is the deviation of one.

    So 0.055 is five standard errors of 100 pairs. Of related ones 0.65 was the least.
    """
    related = [correlation(TargetMatch(task), TargetMatch(task, moved=6)) for task in range(20)]
    unrelated = [correlation(TargetMatch(task), TargetMatch(1000 + task)) for task in range(100)]
    assert min(related) > 0.6
    assert abs(np.mean(unrelated)) < 0.055
    assert np.std(unrelated) == pytest.approx(0.11, abs=0.03)


def test_the_closed_form_is_the_correlation_of_samples():
    """2,000 networks: five standard errors of a correlation of 0 are 0.11."""
    rng = np.random.default_rng(0)
    architectures = [MobileSpace().sample(rng) for _ in range(2000)]
    task, other = TargetMatch(3), TargetMatch(3, moved=12)
    sampled = np.corrcoef(scores(task, architectures), scores(other, architectures))[0, 1]
    assert sampled == pytest.approx(correlation(task, other), abs=0.11)


def test_the_first_proposal_of_a_seed_is_not_the_target_of_that_number():
    """default_rng((seed, 0, 0)) is default_rng(seed)."""
    for seed in range(20):
        first = MobileSpace().sample(np.random.default_rng((seed, 0, 0)))
        assert scores(TargetMatch(seed), [first])[0] < 1
