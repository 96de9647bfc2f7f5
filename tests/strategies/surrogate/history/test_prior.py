from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from autodl.strategies.surrogate.history.prior import (
    Prior,
    confidence_width,
    correction,
    estimated_prior,
    posterior,
    shrunk,
)

PAST = np.array([[1.0, 2, 0], [3, 1, 1], [2, 4, -1], [0, 1, 2]])


def test_the_prior_of_four_runs():
    prior = estimated_prior(PAST)
    assert prior.mean.tolist() == [1.5, 2, 0.5]
    expected = np.array([[5, 1, -2], [1, 6, -5], [-2, -5, 5]]) / 3
    np.testing.assert_allclose(prior.covariance, expected, rtol=1e-14)
    assert prior.runs == 4


def test_the_posterior_of_four_runs():
    mean, covariance = posterior(estimated_prior(PAST), [0], np.array([2.5]))
    np.testing.assert_allclose(mean[1:], [2.2, 0.1], rtol=1e-13)
    np.testing.assert_allclose(covariance[1:, 1:], [[2.9, -2.3], [-2.3, 2.1]], rtol=1e-13)
    assert mean[0] == pytest.approx(2.5)
    assert abs(covariance[0]).max() < 1e-14


def test_variances_are_unbiased():
    """Over many sets of past runs; without the correction they would be a tenth too small."""
    rng = np.random.default_rng(0)
    candidates, runs, seen = 6, 20, [0, 3]
    root = rng.normal(size=(candidates, candidates)) / 2
    truth = root @ root.T + 0.5 * np.eye(candidates)
    prior = Prior(np.zeros(candidates), truth, runs=10**9)
    _, exact = posterior(prior, seen, np.zeros(2))
    factor = np.linalg.cholesky(truth)
    found = []
    for _ in range(4000):
        past = rng.normal(size=(runs, candidates)) @ factor.T
        _, covariance = posterior(estimated_prior(past), seen, np.zeros(2))
        found.append(covariance.diagonal())
    left = [1, 2, 4, 5]
    ratio = np.mean(found, axis=0)[left] / exact.diagonal()[left]
    # a variance of 17 degrees of freedom has deviation sqrt(2 / 17); four standard errors
    np.testing.assert_allclose(ratio, 1.0, atol=4 * np.sqrt(2 / 17 / 4000))
    assert 1 / correction(runs, 2) == pytest.approx(17 / 19)


def test_with_the_true_prior_it_is_a_gaussian_process():
    points = np.linspace(0, 1, 7)[:, None]
    kernel = RBF(0.4)
    oracle = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
    seen, values = [1, 4], np.array([0.3, -0.8])
    mean, covariance = oracle.fit(points[seen], values).predict(points, return_cov=True)
    found_mean, found = posterior(Prior(np.zeros(7), kernel(points), 10**12), seen, values)
    # a system of two by two equations; the correction of 10^12 runs is 1e-12
    np.testing.assert_allclose(found_mean, mean, atol=1e-10)
    np.testing.assert_allclose(found, covariance, atol=1e-10)


def test_without_trials_it_is_the_prior():
    prior = estimated_prior(PAST)
    mean, covariance = posterior(prior, [], np.empty(0))
    assert (mean == prior.mean).all()
    assert (covariance == prior.covariance).all()


@pytest.mark.parametrize(
    "runs, trials, expected",
    [
        *((50, 1, 7.5485), (50, 10, 9.1633), (100, 1, 5.3876), (100, 10, 5.7054)),
        *((1000, 1, 3.4588), (1000, 10, 3.4652), (10**12, 1, 2.8616)),
    ],
)
def test_width_of_the_confidence_bound(runs, trials, expected):
    assert confidence_width(runs, trials, most=10) == pytest.approx(expected, abs=6e-5)


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match=r"needs 31.1 runs for 10 trials, got 31"):
        confidence_width(31, 1, most=10)
    with pytest.raises(ValueError, match="fewer than 3 trials, got 3"):
        posterior(estimated_prior(PAST), [0, 1, 2], np.zeros(3))


def test_shrinking_lets_few_runs_be_uncertain():
    prior = estimated_prior(PAST)
    same = shrunk(prior, np.eye(3), 0.0)
    assert (same.covariance == prior.covariance).all()
    assert same.runs == prior.runs
    mixed = shrunk(prior, np.eye(3), 3.0)
    np.testing.assert_allclose(mixed.covariance, (prior.covariance + np.eye(3)) / 2)
    two = estimated_prior(PAST[:2])  # one direction: what was not seen would be certain
    assert np.linalg.matrix_rank(two.covariance) == 1
    _, covariance = posterior(shrunk(two, np.eye(3), 20.0), [0, 1], np.zeros(2))
    assert covariance[2, 2] > 0.5
