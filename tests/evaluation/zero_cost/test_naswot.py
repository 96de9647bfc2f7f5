"""The kernel of codes and its determinant: by hand, by brute force, and what changes nothing."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from autodl.evaluation.zero_cost.naswot import (
    Naswot,
    agreements,
    log_determinant,
    relus_that_count,
)
from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Add, Conv, Gelu, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import PlanBuilder
from autodl.trial import TrialFailure

rng = np.random.default_rng(0)


def kernel_of(values) -> np.ndarray:
    return agreements(values.astype(np.float32))


def by_brute_force(values) -> np.ndarray:
    codes = values > 0
    units = codes.shape[1]
    return np.array([[units - (a != b).sum() for b in codes] for a in codes], float)


def test_agreements_are_units_less_the_hamming_distance():
    values = rng.normal(size=(9, 50))
    found = kernel_of(values)
    np.testing.assert_array_equal(found, by_brute_force(values))
    np.testing.assert_array_equal(found, found.T)
    assert (np.diag(found) == 50).all()
    assert np.linalg.eigvalsh(found).min() > -1e-9  # of 9 eigenvalues up to 450, in float64


def test_maps_are_codes_of_all_their_values():
    values = rng.normal(size=(5, 3, 4, 2))
    np.testing.assert_array_equal(kernel_of(values), by_brute_force(values.reshape(5, -1)))


def test_what_changes_nothing():
    values = rng.normal(size=(8, 40))
    score = log_determinant(kernel_of(values))
    moved = values[rng.permutation(8)][:, rng.permutation(40)]
    assert log_determinant(kernel_of(moved)) == pytest.approx(score, rel=1e-12)
    signs = np.where(rng.random(40) < 0.5, -1, 1)
    assert log_determinant(kernel_of(values * signs)) == pytest.approx(score, rel=1e-12)
    scaled = values * rng.uniform(0.1, 9, 40)
    assert log_determinant(kernel_of(scaled)) == score


def test_of_two_equal_codes_the_score_is_minus_infinity():
    values = rng.normal(size=(8, 40))
    values[3] = 2 * values[6]
    assert log_determinant(kernel_of(values)) == -math.inf


def test_hadamard_bounds_it_and_chance_is_near_its_closed_form():
    # independent codes: ln det of N/2 (I + 1 1^T), see the specification of the score
    values = np.random.default_rng(3).normal(size=(32, 500))
    found = log_determinant(kernel_of(values))
    assert found <= 32 * math.log(500)
    assert found == pytest.approx(32 * math.log(250) + math.log(33), abs=3)  # one draw: 179 of 180


def forked():
    """Two ReLUs on one layer, and one that leads nowhere."""
    builder = PlanBuilder((3, 4, 4))
    x = builder.add("conv", Conv(3, 2, (1, 1), bias=False), 0)
    left, right = builder.add("left", Relu(), x), builder.add("right", Relu(), x)
    builder.add("lost", Relu(), builder.add("nowhere", Conv(2, 2, (1, 1)), left))
    total = builder.add("sum", Add(), left, right)
    builder.add("classifier", Linear(2, 3), builder.add("pool", GlobalAvgPool(), total))
    return builder.finish()


def test_relus_that_lead_nowhere_do_not_count():
    assert relus_that_count(forked()) == {1: 2}


def test_a_network_is_scored_by_all_relus_that_count():
    network = PlanNetwork(forked(), 0)
    inputs = rng.normal(size=(6, 3, 4, 4)).astype(np.float32)
    maps = np.einsum("oi,bihw->bohw", network.layer("conv").weight.numpy()[:, :, 0, 0], inputs)
    expected = log_determinant(2 * by_brute_force(maps.reshape(6, -1)))
    found = Naswot()(network, Examples(paddle.to_tensor(inputs), None, None))
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_network_without_relus_is_refused_with_the_scores_that_fit():
    builder = PlanBuilder((3, 4, 4))
    x = builder.add("act", Gelu(), builder.add("conv", Conv(3, 2, (1, 1)), 0))
    builder.add("classifier", Linear(2, 3), builder.add("pool", GlobalAvgPool(), x))
    network = PlanNetwork(builder.finish(), 0)
    examples = Examples(paddle.zeros([2, 3, 4, 4]), None, None)
    with pytest.raises(TrialFailure, match=r"by their ReLUs; .*zico.* fit any"):
        Naswot()(network, examples)
