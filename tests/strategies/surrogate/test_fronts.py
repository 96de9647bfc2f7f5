"""Weighing several objectives."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.strategies.surrogate.fronts import (
    Weighing,
    augmented_chebyshev,
    random_weights,
    weighed_improvement,
)
from autodl.strategies.surrogate.posterior import NormalPosterior


def test_weights_are_uniform_on_the_simplex():
    """Of three, each is below 1/2 with probability 3/4: 4,000 draws, four standard errors."""
    rng = np.random.default_rng(0)
    drawn = np.array([random_weights(3, rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    np.testing.assert_allclose((drawn < 0.5).mean(axis=0), 0.75, atol=0.028)


def test_chebyshev_by_hand():
    found = augmented_chebyshev(np.array([1.0, 0.0]), np.array([0.25, 0.75]), np.array([2.0, 1.0]))
    assert found == pytest.approx(-(0.75 + 0.05 * (0.25 + 0.75)))


def test_every_row_of_a_hollow_front_is_the_best_of_some_weights():
    """A weighted sum would never choose the one in the middle."""
    values = np.array([[1.0, 0.0], [0.4, 0.4], [0.0, 1.0]])
    best = set()
    for share in np.linspace(0.01, 0.99, 99):
        weights = np.array([share, 1 - share])
        best.add(int(augmented_chebyshev(values, weights, values.max(axis=0)).argmax()))
        assert (values @ weights).argmax() != 1
    assert best == {0, 1, 2}


def test_improvement_without_doubt_is_the_difference():
    mean, weights, ideal = np.array([[0.5, 0.5], [0.9, 0.9]]), np.array([0.5, 0.5]), np.ones(2)
    reached = augmented_chebyshev(mean, weights, ideal)
    normals = np.random.default_rng(0).normal(size=(16, 2))
    gain = weighed_improvement(mean, np.full((2, 2), 1e-9), weights, ideal, -0.2, normals)
    np.testing.assert_allclose(gain, np.maximum(reached + 0.2, 0), atol=1e-8)


def test_of_hopeless_candidates_the_nearer_is_better():
    weighing = Weighing(np.array([[0.0, 0.0]]), np.random.default_rng(0))
    assert weighing.known.tolist() == [0.0]
    means = np.array([-5.0, -3.0])
    believed = [NormalPosterior(means, np.full(2, 1e-12), lambda columns: np.zeros((2, 1)))] * 2
    found = weighing.improvement(believed, np.zeros((4, 2)))
    assert found[0] < found[1] < 0
