from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from autodl.strategies.surrogate.linear_regression import negative_log_likelihood, regressed

ALPHA, BETA = np.log(2.0), np.log(5.0)


def task(count=7, width=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, width)), rng.normal(size=count)


@pytest.mark.parametrize("count", [1, 3, 4, 7, 40])
def test_it_is_the_density_of_a_normal_variable(count):
    """Few trials and many take different ways to the same determinant."""
    features, values = task(count)
    covariance = features @ features.T / 2 + np.eye(count) / 5
    expected = -multivariate_normal(np.zeros(count), covariance).logpdf(values)
    found = negative_log_likelihood(features, values, ALPHA, BETA).value
    assert found + 0.5 * count * np.log(2 * np.pi) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [3, 7])
def test_gradients_match_differences(count):
    features, values = task(count)
    found = negative_log_likelihood(features, values, ALPHA, BETA)
    step = 1e-6

    def value(moved=features, alpha=ALPHA, beta=BETA):
        return negative_log_likelihood(moved, values, alpha, beta).value

    # central differences of step 1e-6 have errors of about 1e-9
    slope = (value(alpha=ALPHA + step) - value(alpha=ALPHA - step)) / 2 / step
    assert found.alpha == pytest.approx(slope, abs=1e-8)
    slope = (value(beta=BETA + step) - value(beta=BETA - step)) / 2 / step
    assert found.beta == pytest.approx(slope, abs=1e-8)
    for at in np.ndindex(*features.shape):
        move = np.zeros_like(features)
        move[at] = step
        slope = (value(features + move) - value(features - move)) / 2 / step
        assert found.features[at] == pytest.approx(slope, abs=1e-8)


def test_a_task_without_trials_adds_nothing():
    found = negative_log_likelihood(np.empty((0, 4)), np.empty(0), ALPHA, BETA)
    assert (found.value, found.alpha, found.beta) == (0, 0, 0)
    assert found.features.shape == (0, 4)
    prior = regressed(np.empty((0, 4)), np.empty(0), ALPHA, BETA)
    assert (prior.mean == 0).all()
    assert (prior.factor == np.eye(4)).all()


def test_no_jitter_is_needed_where_the_noise_is_a_millionth():
    features, values = task(40)
    few = negative_log_likelihood(features[:3], values[:3], 0.0, np.log(1e6))
    assert np.isfinite([few.value, *few.features.ravel()]).all()
    covariance = features[:3] @ features[:3].T + 1e-6 * np.eye(3)
    expected = -multivariate_normal(np.zeros(3), covariance).logpdf(values[:3])
    assert few.value + 1.5 * np.log(2 * np.pi) == pytest.approx(expected, rel=1e-9)


def test_the_posterior_is_that_of_the_gaussian_process():
    features, values = task()
    new = np.random.default_rng(1).normal(size=(5, 4))
    found = regressed(features, values, ALPHA, BETA)
    noisy = features @ features.T / 2 + np.eye(7) / 5
    solved = np.linalg.solve(noisy, features @ new.T / 2)
    np.testing.assert_allclose(new @ found.mean, values @ solved, rtol=1e-11)
    whitened = np.linalg.solve(found.factor, new.T)
    covariance = whitened.T @ whitened / found.alpha
    expected = new @ new.T / 2 - new @ features.T / 2 @ solved
    np.testing.assert_allclose(covariance, expected, atol=1e-13)


def test_the_cost_is_linear_in_the_trials():
    """What is factorised is no larger than the features, however many trials there are."""
    features, values = task(4000, 5)
    found = regressed(features, values, ALPHA, BETA)
    assert found.factor.shape == (5, 5)
    assert len(astuple(found)) == 3
