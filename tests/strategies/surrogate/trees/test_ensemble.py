"""Beliefs of many regressors."""

from __future__ import annotations

import numpy as np

from autodl.strategies.surrogate.encodings import OneHot
from autodl.strategies.surrogate.surrogate import Posterior, Surrogate
from autodl.strategies.surrogate.trees.ensemble import Ensemble, EnsemblePosterior

SIZES = (3, 2, 4)


def rows(count, seed=0):
    return np.random.default_rng(seed).integers(SIZES, size=(count, len(SIZES)))


def lines(features, rewards):
    """Three members: ridge regressions with penalties of their own."""
    inner = features.T @ features
    weights = [
        np.linalg.solve(inner + penalty * np.eye(len(inner)), features.T @ rewards)
        for penalty in (0.1, 1.0, 10.0)
    ]
    return lambda asked: np.stack([asked @ one for one in weights])


def test_mean_and_covariance_are_those_of_the_members():
    members = np.random.default_rng(0).normal(size=(7, 5))
    belief = EnsemblePosterior(members)
    assert isinstance(belief, Posterior)
    wanted = np.cov(members.T, bias=True)
    np.testing.assert_allclose(belief.mean, members.mean(axis=0))
    np.testing.assert_allclose(belief.variance, np.diag(wanted))
    np.testing.assert_allclose(belief.covariance(np.array([3, 0])), wanted[:, [3, 0]])


def test_draws_have_that_covariance():
    """Of 20,000 draws; five standard errors of a covariance, sqrt((1 + r^2) / n) deviations."""
    members = np.random.default_rng(1).normal(size=(7, 4))
    belief = EnsemblePosterior(members)
    drawn = belief.draw(np.random.default_rng(2), 20000)
    assert drawn.shape == (20000, 4)
    scale = np.sqrt(np.outer(belief.variance, belief.variance))
    wanted = np.cov(members.T, bias=True)
    assert np.abs((np.cov(drawn.T) - wanted) / scale).max() < 5 * np.sqrt(2 / 20000)
    away = (drawn.mean(axis=0) - belief.mean) / np.sqrt(belief.variance)
    assert np.abs(away).max() < 5 / np.sqrt(20000)


def test_members_that_agree_leave_a_variance_above_0():
    belief = EnsemblePosterior(np.ones((4, 3)))
    assert (belief.variance > 0).all()
    np.testing.assert_array_equal(belief.draw(np.random.default_rng(0), 2), 1.0)


def test_updates_at_once_and_one_by_one_are_a_fit_to_all():
    known, rewards, asked = rows(12), np.random.default_rng(3).normal(size=12), rows(6, seed=1)
    whole, once, single = (Ensemble(OneHot(SIZES), lines) for _ in range(3))
    assert isinstance(whole, Surrogate)
    whole.fit(known, rewards)
    once.fit(known[:5], -rewards[:5])
    once.update(known[5:], rewards)
    single.fit(known[:5], -rewards[:5])
    for count in range(6, 13):
        single.update(known[count - 1 : count], rewards[:count])
        single.posterior(asked)
    for other in (once, single):
        np.testing.assert_array_equal(other.posterior(asked).mean, whole.posterior(asked).mean)


def test_it_is_grown_only_when_it_is_asked_something_new():
    grown = []

    def grow(features, rewards):
        grown.append(len(features))
        return lines(features, rewards)

    model = Ensemble(OneHot(SIZES), grow)
    model.fit(rows(4), np.zeros(4))
    model.update(rows(1, seed=2), np.zeros(5))
    assert grown == []
    model.posterior(rows(2))
    model.update(rows(0), np.zeros(5))
    model.posterior(rows(3))
    assert grown == [5]
