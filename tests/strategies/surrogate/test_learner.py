"""Surrogates that follow from what was told, not from when they were asked for."""

from __future__ import annotations

import numpy as np

from autodl.strategies.surrogate.gaussian_process import GaussianProcess
from autodl.strategies.surrogate.kernels import DecisionKernel
from autodl.strategies.surrogate.learner import Learner, last_fit
from autodl.strategies.surrogate.rewards import normal_scores

SIZES = (3, 4, 2, 5)
ROWS = np.random.default_rng(0).integers(SIZES, size=(40, 4))
VALUES = np.random.default_rng(1).normal(size=(40, 2))


def learner():
    return Learner(lambda: GaussianProcess(DecisionKernel(SIZES)), normal_scores, 5)


def test_fits_come_at_a_tenth_more_and_one():
    assert [last_fit(5, count) for count in (5, 6, 7, 12, 13, 22, 23)] == [5, 6, 7, 12, 12, 20, 23]
    fits = {last_fit(10, count) for count in range(10, 1001)}
    assert len(fits) < 50


def test_beliefs_do_not_depend_on_when_they_were_asked_for():
    often, once = learner(), learner()
    for count in (5, 6, 9, 21, 30, 31, 40):
        for one in often.posteriors(ROWS[:count], VALUES[:count], ROWS):
            assert np.isfinite(one.mean).all()
    for first, second in zip(
        often.posteriors(ROWS, VALUES, ROWS), once.posteriors(ROWS, VALUES, ROWS), strict=True
    ):
        assert (first.mean == second.mean).all()
        assert (first.variance == second.variance).all()


def test_after_forgetting_other_trials_are_learned():
    changed, fresh = learner(), learner()
    changed.posteriors(ROWS[:20], VALUES[:20], ROWS)
    changed.forget()
    other = -VALUES[:20]
    (one, _), (two, _) = (made.posteriors(ROWS[:20], other, ROWS) for made in (changed, fresh))
    assert (one.mean == two.mean).all()
