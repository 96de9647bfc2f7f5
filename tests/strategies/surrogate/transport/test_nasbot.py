from __future__ import annotations

import numpy as np
import pytest
from own_space_for_tests import CountOnes, Signs

from autodl.errors import ConfigError
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.options import NasbotOptions
from autodl.strategies.surrogate.candidates import Situation, all_rows
from autodl.strategies.surrogate.transport.nasbot import (
    EDITS,
    EvolvedRows,
    nasbot,
    parent_probabilities,
)
from autodl.trial import Trial, TrialState


def situation(rows, score):
    return Situation(None, score, (rows, np.zeros(len(rows))))


def test_evaluations_grow_with_the_root_of_the_trials():
    ranking = EvolvedRows(Signs(), lead=20, least=50, most=500)
    assert [ranking.evaluations(t) for t in (1, 25, 100, 10_000)] == [50, 100, 200, 500]


def test_probabilities():
    assert sum(EDITS) == pytest.approx(1)
    found = parent_probabilities(np.array([1.0, 2.0, 3.0]))
    ratio = np.exp(2 / np.std([1, 2, 3]))
    np.testing.assert_allclose(found[1:] / found[:-1], ratio)
    assert (parent_probabilities(np.full(4, -3.0)) == 0.25).all()


def test_it_climbs_the_acquisition_and_gives_the_best_first():
    space, rng = Signs(), np.random.default_rng(0)
    start = all_rows(space.sizes)[:5]
    asked = []

    def score(rows):
        asked.append(len(rows))
        return rows.sum(axis=1).astype(float)

    ranking = EvolvedRows(space, lead=1, least=60, most=60)
    found = np.array(list(ranking.ranked(situation(start, score), rng)))
    sums = found.sum(axis=1)
    assert (np.diff(sums) <= 0).all()
    assert sums[0] > start.sum(axis=1).max()
    assert len(asked) <= 6
    assert sum(asked) <= 65  # the start and 60 children, of which known ones are not asked again
    assert len(np.unique(found, axis=0)) == len(found)


def test_it_finds_more_than_chance():
    space, score = Signs(), CountOnes()
    options = NasbotOptions(initial=5, structure_weights=(0.5,), least=20, most=20)
    strategy = nasbot(space, options)
    best = []
    for i in range(15):
        architecture = strategy.ask(np.random.default_rng((0, i)))
        evaluation = score(architecture, None)
        strategy.tell(Trial(i, architecture, TrialState.COMPLETE, evaluation))
        best.append(evaluation.reward)
    rng = np.random.default_rng(1)
    chance = [max(score(space.sample(rng), None).reward for _ in range(15)) for _ in range(20)]
    assert max(best) > np.mean(chance)


def test_a_space_of_one_architecture_is_refused():
    with pytest.raises(ConfigError, match="nothing to vary"):
        nasbot(CellSpace(nodes=1, operations=("conv_1x1",)))


def test_options_that_do_not_fit():
    with pytest.raises(ValueError, match="least 600 is larger than most 500"):
        NasbotOptions(least=600)
    with pytest.raises(ValueError, match="must not be below 0"):
        NasbotOptions(structure_weights=(-1.0,))
