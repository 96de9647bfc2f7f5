"""Gaussian processes against scikit-learn's, and an update against a fit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel as TheirKernel

from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.strategies.surrogate.encodings import PathCounts
from autodl.strategies.surrogate.gaussian_process import GaussianProcess, negative_log_posterior
from autodl.strategies.surrogate.kernels import DecisionKernel, FeatureKernel

SIZES = (3, 4, 2, 5)


class Same(TheirKernel):
    """Our kernel, with settings that are not learned, for scikit-learn."""

    def __init__(self, settings):
        self.settings = settings

    def __call__(self, left, right=None, eval_gradient=False):
        right = left if right is None else right
        return DecisionKernel(SIZES).matrix(self.settings, left.astype(int), right.astype(int))

    def diag(self, rows):
        return DecisionKernel(SIZES).diagonal(self.settings, rows)

    def is_stationary(self):
        return False


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(SIZES, size=(count, 4))


def rewards(rows, noise=0.1):
    rng = np.random.default_rng(9)
    return (rows == 1).sum(axis=1) - 1.0 + noise * rng.normal(size=len(rows))


def test_gradient_is_that_of_finite_differences():
    kernel = DecisionKernel(SIZES)
    settings = np.append(kernel.start, -3) + np.random.default_rng(1).normal(size=7) * 0.3
    found = rows(12), rewards(rows(12))
    error = check_grad(
        lambda s: negative_log_posterior(s, kernel, *found)[0],
        lambda s: negative_log_posterior(s, kernel, *found)[1],
        settings,
    )
    assert error < 1e-5  # forward differences with steps of 1.5e-8


def test_belief_is_that_of_scikit_learn():
    model, known, new = GaussianProcess(DecisionKernel(SIZES)), rows(30), rows(20, seed=1)
    model.fit(known, rewards(known))
    noise = np.exp(model.settings[-1])
    theirs = GaussianProcessRegressor(Same(model.settings[:-1]), alpha=noise, optimizer=None)
    theirs.fit(known, rewards(known))
    mean, covariance = theirs.predict(new, return_cov=True)
    posterior = model.posterior(new)
    # the factor has a jitter of 1e-8 of the variance
    np.testing.assert_allclose(posterior.mean, mean, atol=1e-5)
    np.testing.assert_allclose(posterior.covariance(np.arange(20)), covariance, atol=1e-5)
    np.testing.assert_allclose(posterior.variance, np.diag(covariance), atol=1e-5)


def test_likelihood_is_that_of_scikit_learn():
    kernel, known = DecisionKernel(SIZES), rows(15)
    settings = np.append(kernel.start, -4)
    value, _ = negative_log_posterior(settings, kernel, known, rewards(known))
    theirs = GaussianProcessRegressor(Same(kernel.start), alpha=np.exp(-4), optimizer=None)
    theirs.fit(known, rewards(known))
    expected = -theirs.log_marginal_likelihood_value_ - 15 / 2 * np.log(2 * np.pi)
    assert value == pytest.approx(expected, rel=1e-9)


def test_an_update_gives_the_belief_of_a_fit_with_the_same_settings():
    known, new, changed = rows(40), rows(9, seed=2), rewards(rows(40)) * 2
    model = GaussianProcess(DecisionKernel(SIZES))
    model.fit(known[:10], rewards(known[:10]))
    model.update(known[10:25], changed[:25])
    model.update(known[25:25], changed[:25])
    model.update(known[25:], changed)
    noise = np.exp(model.settings[-1])
    kernel = DecisionKernel(SIZES)
    matrix = kernel.matrix(model.settings[:-1], known, known) + noise * np.eye(40)
    across = kernel.matrix(model.settings[:-1], known, new)
    posterior = model.posterior(new)
    np.testing.assert_allclose(
        posterior.mean, across.T @ np.linalg.solve(matrix, changed), atol=1e-5
    )
    explained = np.einsum("ij,ij->j", across, np.linalg.solve(matrix, across))
    expected = kernel.diagonal(model.settings[:-1], new) - explained
    np.testing.assert_allclose(posterior.variance, expected, atol=1e-5)


def test_it_learns_which_decisions_matter():
    """The weight of the decision that alone counts is the largest."""
    known = rows(60)
    model = GaussianProcess(DecisionKernel(SIZES))
    model.fit(known, np.array([1.5, -1, 0.5, -1.5, 0.5])[known[:, 3]])
    assert model.settings[2:-1].argmax() == 3


def test_equal_rewards_and_equal_rows_are_no_trouble():
    model = GaussianProcess(DecisionKernel(SIZES))
    same = np.repeat(rows(1), 5, axis=0)
    model.fit(same, np.zeros(5))
    model.update(same, np.zeros(10))
    posterior = model.posterior(rows(4, seed=3))
    np.testing.assert_allclose(posterior.mean, 0, atol=1e-12)
    assert (posterior.variance > 0).all()


def test_draws_have_the_mean_and_covariance_of_the_belief():
    """20,000 draws: five standard errors of a variance of about 1."""
    model, known, new = GaussianProcess(DecisionKernel(SIZES)), rows(10), rows(4, seed=1)
    model.fit(known, rewards(known))
    posterior = model.posterior(new)
    draws = posterior.draw(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(draws.mean(axis=0), posterior.mean, atol=0.04)
    np.testing.assert_allclose(np.cov(draws.T), posterior.covariance(np.arange(4)), atol=0.06)


def test_gradient_over_features_is_that_of_finite_differences():
    space = EdgeCellSpace()
    kernel = FeatureKernel(PathCounts(space).features)
    known = np.random.default_rng(0).integers(5, size=(12, 6))
    values = np.random.default_rng(1).normal(size=12)
    settings = np.append(kernel.start, -3.0)
    error = check_grad(
        lambda s: negative_log_posterior(s, kernel, known, values)[0],
        lambda s: negative_log_posterior(s, kernel, known, values)[1],
        settings,
    )
    assert error < 1e-5
    matrix, _ = kernel.pullback(known)(kernel.start)
    np.testing.assert_allclose(matrix, kernel.matrix(kernel.start, known, known), atol=1e-12)
    np.testing.assert_allclose(np.diag(matrix), kernel.diagonal(kernel.start, known), atol=1e-12)
