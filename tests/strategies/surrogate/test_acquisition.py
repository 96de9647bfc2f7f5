"""Acquisitions against closed forms, finite differences and brute force (arXiv:1805.10196)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from autodl.strategies.surrogate import acquisition as acq
from autodl.strategies.surrogate.posterior import NormalPosterior

MEAN, DEVIATION, BEST = np.array([0.3]), np.array([0.7]), 0.5


def normals(count, dimensions):
    return acq.sobol_normals(count, dimensions, np.random.default_rng(0))


def batch(size, seed=0, count=256):
    """Draws of ``size`` correlated rows."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, size)) / np.sqrt(size)
    return rng.normal(size=size) * 0.3 + normals(count, size) @ factor.T


def test_closed_forms_of_one_row():
    """The figures of the specification's fixture, computed by numerical integration too."""
    assert acq.expected_improvement(MEAN, DEVIATION, BEST)[0] == pytest.approx(0.19058104, abs=1e-8)
    improvement = acq.probability_of_improvement(MEAN, DEVIATION, BEST)[0]
    assert improvement == pytest.approx(0.38754848, abs=1e-8)
    bound = acq.upper_confidence_bound(MEAN, DEVIATION, 2.0)[0]
    assert bound == pytest.approx(1.28994949, abs=1e-8)
    integral, _ = quad(lambda f: (f - BEST) * norm.pdf(f, MEAN[0], DEVIATION[0]), BEST, np.inf)
    assert acq.expected_improvement(MEAN, DEVIATION, BEST)[0] == pytest.approx(integral, abs=1e-8)


def test_draws_of_one_row_give_the_closed_forms():
    """Sobol points: an error far below the 1 / sqrt(4096) of independent ones."""
    draws = MEAN + DEVIATION * normals(4096, 1)
    assert acq.batch_expected_improvement(draws, BEST) == pytest.approx(0.19058104, abs=1e-3)
    relaxed = acq.batch_probability_of_improvement(draws, BEST, 1e-4)
    assert relaxed == pytest.approx(0.38754848, abs=1e-3)
    bound = acq.batch_upper_confidence_bound(MEAN, draws, 2.0)
    assert bound == pytest.approx(1.28994949, abs=1e-3)
    assert acq.batch_simple_regret(draws) == pytest.approx(0.3, abs=1e-3)


def test_log_is_the_logarithm_and_finite_where_the_plain_form_is_zero():
    mean = np.linspace(-3, 3, 61)
    plain = acq.expected_improvement(mean, np.full(61, 0.7), BEST)
    found = acq.log_expected_improvement(mean, np.full(61, 0.7), BEST)
    np.testing.assert_allclose(found, np.log(plain), rtol=1e-8)
    far = acq.log_expected_improvement(-np.logspace(1, 8, 50), np.ones(50), 0.0)
    assert np.isfinite(far).all()
    assert (np.diff(far) < 0).all()
    # phi(z) / z^2 (1 - 3 / z^2 + ...): a first-order check at z = -50
    z = -50.0
    at = acq.log_expected_improvement(np.array([z]), np.ones(1), 0.0)[0]
    assert at == pytest.approx(norm.logpdf(z) - 2 * np.log(-z) + np.log1p(-3 / z**2), abs=1e-5)


def test_gradient_is_how_often_a_row_wins():
    """The fixture of the specification, and the finite difference on the same draws."""
    covariance = np.array([[0.49, 0.2], [0.2, 0.36]])
    spread = normals(1 << 16, 2) @ np.linalg.cholesky(covariance).T
    mean = np.array([0.3, 0.1])
    assert acq.batch_expected_improvement(mean + spread, 0.5) == pytest.approx(0.2322, abs=1e-3)
    gradient = acq.improvement_gradient(mean + spread, 0.5)
    assert gradient[0] == pytest.approx(0.3314, abs=1e-3)
    for place in (0, 1):
        step = np.eye(2)[place] * 1e-4
        ends = [acq.batch_expected_improvement(mean + s + spread, 0.5) for s in (step, -step)]
        assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-3)


def test_fixed_draws_are_monotone_and_submodular_over_all_triples():
    """Exactly: a maximum over a set is, and so is a mean of maxima; 1e-12 is rounding."""
    draws = batch(12)

    def value(chosen):
        return acq.batch_expected_improvement(draws[:, list(chosen)], 0.2) if chosen else 0.0

    for a, b, c in combinations(range(12), 3):
        for x, y, z in ((a, b, c), (b, c, a), (c, a, b)):
            assert value([x, y]) >= value([x]) - 1e-12
            assert value([x, y]) - value([x]) >= value([x, z, y]) - value([x, z]) - 1e-12


def test_a_greedy_batch_is_within_the_bound_of_the_best():
    draws = batch(10)

    def value(chosen):
        return acq.batch_expected_improvement(draws[:, list(chosen)], 0.2)

    chosen = acq.greedy(value, 10, 3)
    best = max(value(some) for some in combinations(range(10), 3))
    assert (1 - 1 / np.e) * best <= value(chosen) <= best
    assert len(set(chosen)) == 3
    assert len(acq.greedy(value, 2, 5)) == 2


def test_order_doubles_and_hopeless_rows_change_nothing():
    draws = batch(4)
    plain = acq.batch_expected_improvement(draws, 0.2)
    assert acq.batch_expected_improvement(draws[:, ::-1], 0.2) == plain
    doubled = np.hstack([draws, draws[:, :1]])
    assert acq.batch_expected_improvement(doubled, 0.2) == plain
    hopeless = np.hstack([draws, np.full((len(draws), 1), -9.0)])
    assert acq.batch_expected_improvement(hopeless, 0.2) == plain


def normal_posterior(size, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size)) / np.sqrt(size)
    covariance = root @ root.T
    mean = rng.normal(size=size) * 0.3
    return NormalPosterior(mean, np.diag(covariance).copy(), lambda columns: covariance[:, columns])


def test_the_step_beside_running_rows_is_the_value_of_the_batch():
    """Against draws of each whole batch: 2 ** 14 points leave an error of about 1e-3."""
    posterior, running, best = normal_posterior(6), 2, 0.2
    draws = normals(1 << 14, running + 1)
    found = acq.improvement_beside(posterior, running, best, draws)
    covariance = posterior.covariance(np.arange(6))
    for number, row in enumerate(range(running, 6)):
        some = [0, 1, row]
        factor = np.linalg.cholesky(covariance[np.ix_(some, some)])
        whole = posterior.mean[some] + draws @ factor.T
        expected = acq.batch_expected_improvement(whole, best)
        assert found[number] == pytest.approx(expected, abs=1e-3)


def test_a_copy_of_a_running_row_gains_nothing():
    posterior = normal_posterior(3)
    double = [0, 1, 0]
    twice = NormalPosterior(
        posterior.mean[double],
        posterior.variance[double],
        lambda columns: posterior.covariance(np.arange(3))[
            np.ix_(double, np.array(double)[columns])
        ],
    )
    draws = normals(1024, 2)
    other, copy = acq.improvement_beside(twice, 1, 0.0, draws)
    alone = np.maximum(posterior.mean[0] + np.sqrt(posterior.variance[0]) * draws[:, 0], 0).mean()
    assert copy == pytest.approx(alone, abs=1e-4)  # the jitter of its covariance
    assert other > copy
    assert acq.hallucinated_deviation(twice, 1)[1] < 1e-3


def test_equal_scores_keep_their_order():
    assert acq.positions_of_best(np.array([1.0, 3.0, 3.0, 2.0]), 3).tolist() == [1, 2, 3]
