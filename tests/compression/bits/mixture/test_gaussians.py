"""Conjugate updates, divergences and the grid, against Monte Carlo and numeric optima."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from autodl.compression.bits.mixture.gaussians import (
    GaussianGrid,
    Moments,
    NormalGamma,
    NormalGammaPrior,
)

PRIOR = NormalGammaPrior(mean=0.3, strength=0.5, shape=1.5, rate=0.7)
MOMENTS = Moments(np.array([12.0, 3.0, 0.0]), np.array([1.0, -2.0, 9.9]), np.array([0.3, 0.1, 7.0]))


def log_density(mean, strength, shape, rate, mu, precision):
    return stats.gamma(shape, scale=1 / rate).logpdf(precision) + stats.norm(
        mean, (strength * precision) ** -0.5
    ).logpdf(mu)


def draws(posterior, component, count=400_000):
    rng = np.random.default_rng(component)
    precision = rng.gamma(posterior.shapes[component], 1 / posterior.rates[component], count)
    deviation = (posterior.strengths[component] * precision) ** -0.5
    return rng.normal(posterior.means[component], deviation), precision


def test_divergence_against_monte_carlo():
    """4 standard errors; the empty component has the prior and adds nothing."""
    posterior = NormalGamma.posterior(PRIOR, MOMENTS)
    total, variance = 0.0, 0.0
    for t in range(3):
        mu, precision = draws(posterior, t)
        own = (posterior.means, posterior.strengths, posterior.shapes, posterior.rates)
        ratio = log_density(*(values[t] for values in own), mu, precision) - log_density(
            PRIOR.mean, PRIOR.strength, PRIOR.shape, PRIOR.rate, mu, precision
        )
        total += ratio.mean()
        variance += ratio.var() / len(ratio)
    assert posterior.divergence() == pytest.approx(total, abs=4 * variance**0.5)
    empty = Moments(np.zeros(4), np.ones(4), np.ones(4))
    assert NormalGamma.posterior(PRIOR, empty).divergence() == pytest.approx(0.0, abs=1e-12)


def test_scores_against_monte_carlo():
    """E[log N(w | mu, 1 / lambda)]; 4 standard errors."""
    posterior = NormalGamma.posterior(PRIOR, MOMENTS)
    scores = posterior.scores()
    for t in range(3):
        mu, precision = draws(posterior, t)
        for w in (-1.0, 0.5):
            logs = 0.5 * (np.log(precision) - np.log(2 * np.pi) - precision * (w - mu) ** 2)
            found = scores.offsets[t] - 0.5 * scores.precisions[t] * (w - scores.means[t]) ** 2
            error = 4 * logs.std() / len(logs) ** 0.5
            assert found == pytest.approx(logs.mean(), abs=error)


def test_posterior_by_single_weights():
    """A conjugate posterior is the same one weight after another; rounding only."""
    weights = np.array([0.2, -1.0, 3.0, 0.7])
    moments = Moments(*(np.array([v]) for v in (4.0, weights.mean(), weights.var())))
    at_once = NormalGamma.posterior(PRIOR, moments)
    prior = PRIOR
    for w in weights:
        step = NormalGamma.posterior(
            prior, Moments(np.array([1.0]), np.array([w]), np.array([0.0]))
        )
        prior = NormalGammaPrior(step.means[0], step.strengths[0], step.shapes[0], step.rates[0])
    found = (at_once.means[0], at_once.strengths[0], at_once.shapes[0], at_once.rates[0])
    assert found == pytest.approx((prior.mean, prior.strength, prior.shape, prior.rate), rel=1e-12)


def test_merged_moments_are_those_of_all_weights():
    first, second = np.array([1.0, 2.0, 4.0]), np.array([-1.0, 0.5])
    each = [(len(w), w.mean(), w.var()) for w in (first, second)]
    merged = Moments(*map(np.array, zip(*each, strict=True))).merged(0, 1)
    both = np.concatenate([first, second])
    assert merged.counts.tolist() == [5, 0]
    assert merged.means[0] == pytest.approx(both.mean(), rel=1e-14)
    assert merged.variances[0] == pytest.approx(both.var(), rel=1e-14)


def test_grid_is_refitted_by_least_squares():
    """Against a numeric optimum, to its tolerance."""
    grid = GaussianGrid.between(-1.0, 1.0, 3, precision=4.0)
    fitted = grid.updated(MOMENTS)

    def error(x):
        return MOMENTS.counts @ (MOMENTS.means - x[0] - x[1] * grid.places) ** 2

    shifted = Moments(np.array([3.0, 4.0, 2.0]), np.array([-1.2, 0.1, 1.7]), np.zeros(3))
    best = minimize(
        lambda x: shifted.counts @ (shifted.means - x[0] - x[1] * grid.places) ** 2, [0, 1]
    )
    found = grid.updated(shifted)
    assert [found.offset, found.step] == pytest.approx(best.x, abs=1e-5)
    # falling means would need a step below 0: the old step stays, and the offset follows
    assert fitted.step == grid.step
    assert error([fitted.offset, fitted.step]) < error([grid.offset, grid.step])
