"""Bayesian linear regression against the Gaussian process with the same kernel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from autodl.strategies.surrogate.encodings import OneHot, Pairs
from autodl.strategies.surrogate.ridge import Ridge, evidence, spaced

SIZES = (3, 4, 2, 5)


def rows(count, seed=0):
    return np.random.default_rng(seed).integers(SIZES, size=(count, 4))


def rewards(rows):
    return (rows == 1).sum(axis=1) - 1.0 + 0.1 * np.random.default_rng(9).normal(size=len(rows))


def test_evidence_is_the_likelihood_at_its_best_scale():
    known = OneHot(SIZES).features(rows(12))
    kernel, values = known @ known.T, rewards(rows(12))
    found, noise, scale = evidence(kernel, values)
    covariance = scale * (kernel + noise * np.eye(12))
    direct = multivariate_normal(np.zeros(12), covariance).logpdf(values)
    assert found == pytest.approx(direct + 6 * (np.log(2 * np.pi) + 1), rel=1e-9)
    for other in (0.9 * scale, 1.1 * scale):
        less = multivariate_normal(np.zeros(12), covariance * other / scale).logpdf(values)
        assert less < direct


@pytest.mark.parametrize("encoding", [OneHot(SIZES), Pairs(SIZES)], ids=["one-hot", "pairs"])
def test_belief_is_that_of_the_process_with_its_kernel(encoding):
    known, new = rows(30), rows(20, seed=1)
    model = Ridge(encoding)
    model.fit(known[:20], rewards(known[:20]))
    model.update(known[20:], rewards(known))
    left, right = (encoding.features(some) * model._weight for some in (known, new))
    matrix = model._scale * (left @ left.T + model._noise * np.eye(30))
    across = model._scale * left @ right.T
    posterior = model.posterior(new)
    expected = across.T @ np.linalg.solve(matrix, rewards(known))
    np.testing.assert_allclose(posterior.mean, expected, atol=1e-5)  # a jitter of 1e-8
    covariance = model._scale * right @ right.T - across.T @ np.linalg.solve(matrix, across)
    np.testing.assert_allclose(posterior.covariance(np.arange(20)), covariance, atol=1e-5)
    np.testing.assert_allclose(posterior.variance, np.diag(covariance), atol=1e-5)


def test_updates_give_the_same_bits_however_many_come_at_once():
    known, values = rows(30), rewards(rows(30))
    once, piecemeal = Ridge(Pairs(SIZES)), Ridge(Pairs(SIZES))
    for model in (once, piecemeal):
        model.fit(known[:10], values[:10])
    once.update(known[10:], values)
    for end in (11, 20, 30):
        piecemeal.update(known[{11: 10, 20: 11, 30: 20}[end] : end], values[:end])
    assert (once.posterior(known).mean == piecemeal.posterior(known).mean).all()


def test_a_sum_of_decisions_is_found():
    known = rows(60)
    model = Ridge(OneHot(SIZES))
    model.fit(known, (known == 1).sum(axis=1) - 1.2)
    new = rows(30, seed=4)
    np.testing.assert_allclose(model.posterior(new).mean, (new == 1).sum(axis=1) - 1.2, atol=0.05)


def test_pairs_find_what_single_decisions_cannot():
    """An exclusive or of two decisions: pairs explain it, single decisions do not."""
    known = rows(200)
    values = np.where((known[:, 0] == 1) ^ (known[:, 2] == 1), 1.0, -1.0)
    errors = []
    for encoding in (OneHot(SIZES), Pairs(SIZES)):
        model = Ridge(encoding)
        model.fit(known[:100], values[:100])
        errors.append(np.abs(model.posterior(known[100:]).mean - values[100:]).mean())
    assert errors[1] < 0.2 < errors[0]


def test_draws_of_weights_have_the_covariance_of_the_belief():
    """20,000 draws: five standard errors of variances below 1."""
    model, new = Ridge(OneHot(SIZES)), rows(4, seed=1)
    model.fit(rows(10), rewards(rows(10)))
    posterior = model.posterior(new)
    draws = posterior.draw(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(draws.mean(axis=0), posterior.mean, atol=0.04)
    np.testing.assert_allclose(np.cov(draws.T), posterior.covariance(np.arange(4)), atol=0.05)


def test_equal_rewards_are_believed_equal():
    model = Ridge(Pairs(SIZES))
    model.fit(rows(5), np.zeros(5))
    posterior = model.posterior(rows(6, seed=2))
    assert (posterior.mean == 0).all()
    assert (posterior.variance > 0).all()


def test_spaced_positions():
    assert spaced(3, 5).tolist() == [0, 1, 2]
    found = spaced(1000, 256)
    assert (found[0], found[-1], len(set(found.tolist()))) == (0, 999, 256)
