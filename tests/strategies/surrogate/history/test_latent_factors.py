from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from autodl.strategies.surrogate.history.latent_factors import (
    LatentFactors,
    best_on_average,
    fitted,
    principal_places,
)


def factors(rows=6, dimensions=2, *, scales=(0.1, -0.3)):
    places = np.random.default_rng(0).normal(size=(rows, dimensions))
    return LatentFactors(places, np.log(1.3), np.array(scales), np.log(0.2))


def table(rows=6, tasks=3):
    scores = np.random.default_rng(1).normal(size=(rows, tasks))
    scores[[0, 2, 5], [0, 1, 1]] = np.nan
    return scores


def kernel(made):
    lengths = np.exp(-made.scales)
    return ConstantKernel(np.exp(made.variance)) * RBF(lengths)


def test_it_is_the_sum_of_the_likelihoods_of_the_tasks():
    made, scores = factors(), table()
    expected = 0.0
    for column in scores.T:
        seen = ~np.isnan(column)
        noisy = kernel(made) + WhiteKernel(np.exp(made.noise))
        process = GaussianProcessRegressor(noisy, alpha=0.0, optimizer=None)
        expected -= process.fit(made.places[seen], column[seen]).log_marginal_likelihood()
    assert made.negative_log_likelihood(scores) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_matches_differences():
    made, scores = factors(), table()
    found, numbers = made.gradient(scores).flat(), made.flat()
    for at in range(len(numbers)):
        move = np.zeros_like(numbers)
        move[at] = 1e-6
        high = made.shaped(numbers + move).negative_log_likelihood(scores)
        low = made.shaped(numbers - move).negative_log_likelihood(scores)
        # central differences of step 1e-6 have errors of about 1e-9
        assert found[at] == pytest.approx((high - low) / 2e-6, abs=1e-7)


def test_what_nothing_was_tried_of_has_no_gradient():
    scores = table()
    scores[4] = np.nan
    assert (factors().gradient(scores).places[4] == 0).all()
    empty = np.column_stack([scores, np.full(6, np.nan)])
    expected = factors().negative_log_likelihood(scores)
    assert factors().negative_log_likelihood(empty) == expected


def test_turning_moving_and_exchanging_places_change_nothing():
    made, scores = factors(scales=(0.1, 0.1)), table()
    expected = made.negative_log_likelihood(scores)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    order = [3, 1, 5, 0, 2, 4]
    for places, own in [
        (made.places @ turn + 3, scores),
        (made.places[order], scores[order]),
    ]:
        moved = LatentFactors(places, made.variance, made.scales, made.noise)
        assert moved.negative_log_likelihood(own) == pytest.approx(expected, rel=1e-12)


def test_a_task_of_zeros_leaves_the_determinant():
    made = factors()
    covariance = kernel(made)(made.places) + 0.2 * np.eye(6)
    expected = 0.5 * np.linalg.slogdet(covariance)[1] + 3 * np.log(2 * np.pi)
    assert made.negative_log_likelihood(np.zeros((6, 1))) == pytest.approx(expected, rel=1e-12)


def test_the_posterior_of_a_new_task():
    made, seen, scores = factors(), np.array([1, 4]), np.array([0.7, -1.2])
    process = GaussianProcessRegressor(kernel(made), alpha=np.exp(made.noise), optimizer=None)
    process.fit(made.places[seen], scores)
    mean, covariance = process.predict(made.places, return_cov=True)
    found_mean, found = made.posterior(seen, scores)
    np.testing.assert_allclose(found_mean, mean, atol=1e-12)
    np.testing.assert_allclose(found, covariance, atol=1e-12)


def rank_one(tasks=8, rows=40, holes=0.4, seed=0):
    """Scores ``a_d b_p`` and a little noise, standardised, with holes; and what has none."""
    rng = np.random.default_rng(seed)
    whole = np.outer(
        rng.normal(size=rows), rng.choice([-1, 1], tasks) * rng.uniform(0.5, 1.5, tasks)
    )
    whole = whole + 0.05 * rng.normal(size=whole.shape)
    whole = (whole - whole.mean(axis=0)) / whole.std(axis=0)
    return np.where(rng.random(whole.shape) < holes, np.nan, whole), whole


def test_fitting_raises_the_likelihood_and_tells_what_is_in_the_holes():
    scores, whole = rank_one()
    made = fitted(scores, dimensions=2)
    start = LatentFactors(principal_places(scores, 2), 0.0, np.zeros(2), np.log(0.1))
    assert made.negative_log_likelihood(scores) < start.negative_log_likelihood(scores)
    errors = []
    for column, truth in zip(scores.T, whole.T, strict=True):
        seen = np.flatnonzero(~np.isnan(column))
        mean, _ = made.posterior(seen, column[seen])
        hidden = np.isnan(column)
        errors.append(np.abs(mean[hidden] - truth[hidden]).mean())
    assert np.mean(errors) < 0.3  # of scores with deviation 1


def test_a_new_task_is_known_from_few_scores():
    scores, whole = rank_one(tasks=9)
    made = fitted(scores[:, :8], dimensions=2)
    seen = np.array([0, 7, 14, 21, 28])
    mean, _ = made.posterior(seen, whole[seen, 8])
    assert np.corrcoef(mean, whole[:, 8])[0, 1] > 0.9


def test_principal_places_have_unit_variance_and_end_at_the_rank():
    scores, _ = rank_one(tasks=2, holes=0.0)
    places = principal_places(scores, 4)
    np.testing.assert_allclose(places[:, :2].std(axis=0), 1, rtol=1e-9)
    assert (places[:, 2:] == 0).all()


def test_the_best_on_average():
    scores = np.array([[0.1, 5.0], [0.9, np.nan], [0.5, 7.0], [np.nan, np.nan]])
    assert best_on_average(scores, 4) == [1, 2, 0, 3]  # ranks 3/3, (2/3 + 2/2)/2, (1/3 + 1/2)/2
