from __future__ import annotations

import numpy as np
import pytest
from own_space_for_tests import Signs

from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.surrogate.gaussian_process import GaussianProcess, negative_log_posterior
from autodl.strategies.surrogate.transport import transport_kernel
from autodl.strategies.surrogate.transport.otmann import distances, profile
from autodl.strategies.surrogate.transport.transport_kernel import (
    PLANS,
    TransportKernel,
    plan_of,
    projected,
)

SPACE = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3", "max_pool_2x2"))


def rows(count=6, space=SPACE):
    rng = np.random.default_rng(0)
    return np.array([space.encode(space.sample(rng)) for _ in range(count)])


def test_features_are_the_distances_between_plans():
    kernel, some = TransportKernel(SPACE, (0.1, 1.5)), rows()
    found = kernel.features(some[:2], some[3:])
    plans = [cell_plan(SPACE.decode(row), cells_per_stage=1) for row in some]
    one, other = profile(plans[1]), profile(plans[4])
    moved = distances(one, other, (0.1, 1.5))
    assert found.shape == (4, 2, 3)
    unit = moved[0] / found[0, 1, 1]
    np.testing.assert_allclose(found[:2, 1, 1], moved / unit, rtol=1e-12)
    normalised = moved / (one.mass + other.mass)
    np.testing.assert_allclose(found[2:, 1, 1], normalised**2, rtol=1e-12)
    assert 0.1 < found[0, 1, 1] < 10  # in average networks


def test_a_distance_is_computed_once(monkeypatch):
    kernel, calls = TransportKernel(SPACE, (0.5,)), []
    monkeypatch.setattr(
        transport_kernel, "distances", lambda *pair: calls.append(pair) or distances(*pair)
    )
    first = kernel.features(rows(5), rows(5))
    assert len(calls) == 15  # 10 pairs, and each with itself
    assert (kernel.features(rows(5)[::-1], rows(5)) == first[:, ::-1]).all()
    assert len(calls) == 15


def test_without_a_plan_it_is_the_hamming_distance():
    kernel, some = TransportKernel(Signs(), (0.1, 1.5)), rows(4, Signs())
    differ = (some[:, None] != some[None]).mean(axis=2)
    found = kernel.features(some, some)
    np.testing.assert_allclose(found[:2], np.stack([2 * differ] * 2))
    np.testing.assert_allclose(found[2:], np.stack([differ**2] * 2))


def test_the_gradient_of_the_likelihood_matches_differences():
    kernel, some = TransportKernel(SPACE, (0.1, 1.5)), rows()
    rewards = np.random.default_rng(1).normal(size=len(some))
    settings = np.append(kernel.start, -2.0)
    _, found = negative_log_posterior(settings, kernel, some, rewards)
    for at in range(len(settings)):
        move = np.zeros(len(settings))
        move[at] = 1e-5
        high, low = (
            negative_log_posterior(moved, kernel, some, rewards)[0]
            for moved in (settings + move, settings - move)
        )
        # central differences of step 1e-5 have errors of about 1e-9
        assert found[at] == pytest.approx((high - low) / 2e-5, abs=1e-6)


def test_what_is_no_covariance_is_projected_onto_one():
    matrix = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 1.0]])
    values = np.linalg.eigvalsh(matrix)
    assert values[0] < -0.2
    found = projected(matrix)
    np.testing.assert_allclose(np.linalg.eigvalsh(found), np.maximum(values, 0), atol=1e-12)
    assert projected(np.eye(3)) is not None
    assert (projected(np.eye(3)) == np.eye(3)).all()


def test_a_gaussian_process_takes_it():
    some = rows(12)
    process = GaussianProcess(TransportKernel(SPACE))
    rewards = np.random.default_rng(2).normal(size=12)
    process.fit(some[:10], rewards[:10])
    process.update(some[10:], rewards)
    posterior = process.posterior(some)
    assert np.isfinite(posterior.mean).all()
    assert (posterior.variance > 0).all()


def test_kinds_with_plans():
    assert plan_of("signs") is None
    for kind in PLANS:
        assert callable(plan_of(kind))
