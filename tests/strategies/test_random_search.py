"""Random search; what all strategies promise is tested in contracts/test_strategies.py."""

from __future__ import annotations

import numpy as np

from autodl.spaces.cell.space import CellSpace
from autodl.strategies.random_search import RandomSearch
from autodl.trial import Evaluation, Trial, TrialState


def test_proposals_are_the_samples_of_the_space():
    space = CellSpace(nodes=5)
    strategy = RandomSearch(space)
    for trial_id in range(20):
        expected = space.sample(np.random.default_rng((0, trial_id, 0)))
        assert strategy.ask(np.random.default_rng((0, trial_id, 0))) == expected
        strategy.tell(Trial(trial_id, expected, TrialState.COMPLETE, Evaluation(1.0)))


def test_it_is_asked_whenever_a_worker_is_free():
    assert RandomSearch(CellSpace()).batch_size is None
