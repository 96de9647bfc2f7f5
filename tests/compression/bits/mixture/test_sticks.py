"""Stick-breaking: sums, prior means, the number of tables of a Chinese restaurant, divergences."""

import numpy as np
import pytest
from scipy import stats

from autodl.compression.bits.mixture.sticks import Sticks, stick_weights


def prior(truncation, alpha):
    return Sticks.posterior(np.zeros(truncation), alpha)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 10.0])
def test_weights_sum_to_one(alpha):
    counts = np.array([30.0, 7.5, 2.25, 0.0])
    for sticks in (prior(8, alpha), Sticks.posterior(counts, alpha), prior(1, alpha)):
        assert sticks.weights().sum() == pytest.approx(1.0, abs=1e-12)


def test_what_is_left():
    fractions = np.array([0.3, 0.6, 0.1])
    weights = stick_weights(fractions)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights[-1] == pytest.approx(0.7 * 0.4 * 0.9, abs=1e-12)


@pytest.mark.parametrize(
    "alpha, expected", [(1.0, [0.5, 0.25, 0.125]), (10.0, [0.0909, 0.0826, 0.0751])]
)
def test_prior_means(alpha, expected):
    """(1 / (1 + alpha)) (alpha / (1 + alpha))^(t - 1); printed to 4 digits."""
    np.testing.assert_allclose(prior(256, alpha).weights()[:3], expected, atol=5e-5)


@pytest.mark.parametrize("alpha, tables", [(1.0, 7.485), (10.0, 46.655)])
def test_number_of_clusters_of_1000_draws(alpha, tables):
    """E[K_N] = sum_n alpha / (alpha + n) of the Chinese restaurant, from 4,000 broken sticks.

    The mean's deviation is below sqrt(E[K]) / sqrt(4,000) = 0.11 (alpha 10), 0.04 (alpha 1).
    """
    counted = sum(alpha / (alpha + n) for n in range(1000))
    assert counted == pytest.approx(tables, abs=1e-3)
    rng = np.random.default_rng(0)
    weights = stick_weights(rng.beta(1.0, alpha, size=(4_000, 250)))[:, :-1]
    drawn = (1.0 - (1.0 - weights) ** 1000).sum(axis=1).mean()
    assert drawn == pytest.approx(tables, abs=4 * np.sqrt(tables / 4_000))


def test_divergence_is_that_of_betas():
    """Against Monte Carlo of log q / p; 4 standard errors."""
    alpha, counts = 2.5, np.array([12.0, 5.0, 3.0])
    sticks = Sticks.posterior(counts, alpha)
    rng = np.random.default_rng(0)
    terms = []
    for first, second in zip(sticks.first, sticks.second, strict=True):
        drawn = rng.beta(first, second, 200_000)
        terms.append(stats.beta(first, second).logpdf(drawn) - stats.beta(1, alpha).logpdf(drawn))
    total = np.sum(terms, axis=0)
    error = 4 * total.std() / np.sqrt(len(total))
    assert sticks.divergence(alpha) == pytest.approx(total.mean(), abs=error)


def test_divergence_of_the_prior_is_zero():
    assert prior(16, 3.0).divergence(3.0) == pytest.approx(0.0, abs=1e-12)


def test_expected_logarithms():
    """E[log pi] by Monte Carlo; 4 standard errors."""
    sticks = Sticks.posterior(np.array([4.0, 2.0, 1.0]), 1.5)
    rng = np.random.default_rng(0)
    logs = np.log(stick_weights(rng.beta(sticks.first, sticks.second, size=(200_000, 3))))[:, :-1]
    error = 4 * logs.std(axis=0) / np.sqrt(len(logs))
    assert (np.abs(sticks.log_weights() - logs.mean(axis=0)) < error).all()
