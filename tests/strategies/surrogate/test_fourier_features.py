from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from autodl.strategies.surrogate.fourier_features import (
    AdditiveFeatures,
    drawn,
    quadrature,
    regress,
)

GRID = np.linspace(0, 1, 201)[:, None]


def worst_error(features, lengthscale):
    """Of the kernel against its one exact column, on a grid of [0, 1]."""
    found = features(GRID) @ features(GRID[:1]).T
    return np.abs(found[:, 0] - np.exp(-((GRID[:, 0] / lengthscale) ** 2) / 2)).max()


@pytest.mark.parametrize(
    "lengthscale, nodes, expected",
    [
        *((0.5, m, e) for m, e in [(4, 6.05e-2), (6, 2.40e-3), (8, 4.87e-5), (10, 5.98e-7)]),
        *((0.5, m, e) for m, e in [(12, 4.93e-9), (16, 1.3e-13)]),
        *((1.0, m, e) for m, e in [(2, 6.62e-2), (4, 4.72e-4), (6, 1.19e-6), (8, 1.5e-9)]),
        *((0.2, m, e) for m, e in [(8, 0.746), (12, 0.108), (16, 4.2e-3), (20, 6.0e-5)]),
        *((0.2, m, e) for m, e in [(24, 3.8e-7), (32, 2.4e-12)]),
    ],
)
def test_error_of_the_quadrature(lengthscale, nodes, expected):
    found = worst_error(quadrature([lengthscale], nodes), lengthscale)
    # two or three printed digits, and near 1e-13 the rounding of sums of cosines
    assert found == pytest.approx(expected, rel=0.03, abs=2e-13)
    assert found <= factorial(nodes) / factorial(2 * nodes) / lengthscale ** (2 * nodes) + 1e-13


def test_the_error_falls_faster_than_exponentially():
    errors = np.log([worst_error(quadrature([0.5], m), 0.5) for m in (4, 6, 8, 10, 12)])
    assert (np.diff(errors, 2) < 0).all()


def test_drawn_frequencies_are_far_worse():
    rngs = map(np.random.default_rng, range(20))
    errors = [worst_error(drawn([0.5], 128, rng), 0.5) for rng in rngs]
    assert 0.03 < np.mean(errors) < 0.12  # about 6.5e-2
    assert worst_error(quadrature([0.5], 8), 0.5) < min(errors) / 100


@pytest.mark.parametrize("nodes", [1, 2, 5, 8])
def test_the_kernel_of_a_point_with_itself_is_the_variance(nodes):
    for inputs in (1, 2):
        made = quadrature([0.3] * inputs, nodes, variance=2.5)
        points = np.random.default_rng(0).random((9, inputs))
        np.testing.assert_allclose(np.square(made(points)).sum(axis=1), 2.5, rtol=1e-12)
        assert made.width == 2 * -(-(nodes**inputs) // 2)


def test_it_is_the_same_whenever_it_is_made():
    points = np.random.default_rng(0).random((5, 2))
    assert (quadrature([0.4, 0.7], 6)(points) == quadrature([0.4, 0.7], 6)(points)).all()


def test_two_inputs_keep_half_of_the_grid_and_not_a_quarter():
    """The positive orthant with doubled weights, as it is often done, is off by 0.4."""
    points = np.random.default_rng(1).random((60, 2))
    exact = np.exp(-np.square(points[:, None] - points[None]).sum(axis=2) / 2 / 0.5**2)
    made = quadrature([0.5, 0.5], 16)
    assert np.abs(made(points) @ made(points).T - exact).max() < 1e-12  # sums of 256 cosines
    quarter = (made.frequencies > 0).all(axis=1) | (made.frequencies < 0).all(axis=1)
    half = type(made)(made.frequencies[quarter], 2 * made.weights[quarter])
    assert np.abs(half(points) @ half(points).T - exact).max() > 0.3


def test_the_posterior_is_that_of_the_gaussian_process():
    rng = np.random.default_rng(0)
    points, noise = rng.random((30, 1)), 0.01
    values = np.sin(9 * points[:, 0]) + 0.1 * rng.normal(size=30)
    oracle = GaussianProcessRegressor(RBF(0.3), alpha=noise, optimizer=None).fit(points, values)
    mean, deviation = oracle.predict(GRID, return_std=True)
    made = quadrature([0.3], 20)
    found_mean, found_variance = regress(made(points), values, noise).predict(made(GRID))
    # the kernel's own error here is 1e-14, and the noise divides it: 1e-2
    np.testing.assert_allclose(found_mean, mean, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(found_variance), deviation, atol=1e-8)


def test_without_data_the_posterior_is_the_prior():
    made = quadrature([0.3], 20, variance=3.0)
    mean, variance = regress(np.empty((0, made.width)), np.empty(0), 0.1).predict(made(GRID))
    assert (mean == 0).all()
    np.testing.assert_allclose(variance, 3.0, rtol=1e-12)


def test_draws_of_the_weights_have_the_posterior():
    rng = np.random.default_rng(0)
    made = quadrature([0.6], 6)
    points = rng.random((5, 1))
    weights = regress(made(points), np.cos(4 * points[:, 0]), 0.05)
    mean, variance = weights.predict(made(GRID[::50]))
    draws = np.array([weights.draw(rng) for _ in range(4000)]) @ made(GRID[::50]).T
    # four standard errors of a mean and of a variance of 4,000 draws
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=4 * np.sqrt(variance.max() / 4000))
    np.testing.assert_allclose(draws.var(axis=0), variance, rtol=4 * np.sqrt(2 / 4000))


def additive():
    return AdditiveFeatures(
        ((2, 0), (1,)), (quadrature([0.4, 0.5], 6, variance=0.7), quadrature([0.3], 8, 0.3))
    )


def test_the_kernel_of_groups_is_the_sum_of_theirs():
    made, points = additive(), np.random.default_rng(0).random((7, 3))
    first, second = (points[:, [2, 0]], points[:, [1]])
    expected = made.maps[0](first) @ made.maps[0](first).T
    expected = expected + made.maps[1](second) @ made.maps[1](second).T
    np.testing.assert_allclose(made(points) @ made(points).T, expected, rtol=1e-12)


def test_a_draw_is_maximised_exactly_group_by_group():
    made, rng = additive(), np.random.default_rng(0)
    levels = [np.linspace(0, 1, size) for size in (4, 5, 6)]
    at = np.indices((4, 5, 6)).reshape(3, -1).T
    points = np.stack([levels[i][at[:, i]] for i in range(3)], axis=1)
    for _ in range(20):
        weights = rng.normal(size=made(points).shape[1])
        assert made.best(weights, levels) == at[(made(points) @ weights).argmax()].tolist()
