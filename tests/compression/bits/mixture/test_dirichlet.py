"""``fit_mixture``: clusters recovered, controls, scale and order of the weights, bad input."""

import numpy as np
import pytest

from autodl.compression.bits.levels import bits_of
from autodl.compression.bits.mixture.dirichlet import fit_mixture
from autodl.compression.bits.mixture.gaussians import NormalGammaPrior
from autodl.compression.errors import CompressionError

BITS = {2: 1, 4: 2, 5: 3, 8: 3, 16: 4}


def clustered(clusters, seed, spacing=1.0, count=1000):
    rng = np.random.default_rng(seed)
    return rng.choice(spacing * np.arange(clusters), count) + rng.normal(0, 0.1, count)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("clusters, spacing", [(2, 1), (4, 2), (5, 1), (8, 1), (16, 2)])
def test_clusters_are_recovered(clusters, spacing, seed):
    """As many components as clusters, each within 5 standard errors of its centre."""
    weights = clustered(clusters, seed, spacing)
    fit = fit_mixture(weights, seed=seed)
    assert fit.components == clusters
    assert fit.bits == BITS[clusters]
    found = np.sort(fit.means[:clusters])
    errors = 5 * 0.1 / np.sqrt(1000 / clusters)
    np.testing.assert_allclose(found, spacing * np.arange(clusters), atol=errors)
    assert fit.weights.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("clusters, seed", [(2, 0), (4, 1), (5, 2), (8, 3)])
def test_bound_is_that_of_the_true_start(clusters, seed):
    """From the true centres the ascent ends at the same bound, to 0.01 nats."""
    weights = clustered(clusters, seed)
    prior = NormalGammaPrior(weights.mean(), 1e-2, 1.0, 0.01)
    fit = fit_mixture(weights, prior=prior, seed=seed)
    oracle = fit_mixture(weights, prior=prior, start=np.arange(float(clusters)), seed=seed)
    assert fit.components == clusters
    assert fit.bound == pytest.approx(oracle.bound, abs=0.01)


@pytest.mark.parametrize("clusters, seed", [(2, 0), (4, 1), (8, 2), (8, 3)])
def test_grid_finds_even_levels(clusters, seed):
    """Also where no grid from end to end hits them: it is aligned."""
    weights = 2.0 * clustered(clusters, seed) - (clusters - 1)
    tolerance = 0.3 / weights.std()  # above the clusters' 0.2, below their distance of 2
    fit = fit_mixture(weights, variant="U", truncation=16, tolerance=tolerance, seed=seed)
    assert fit.bits == BITS[clusters]
    levels = np.linspace(1 - clusters, clusters - 1, clusters)
    np.testing.assert_allclose(fit.levels.values, levels, atol=0.1)


@pytest.mark.parametrize(
    "draw, most",
    [("standard_normal", 1), ("laplace", 2), ("uniform", 5)],
)
def test_one_bump_is_one_component(draw, most):
    """Without a tolerance a bell is one component: a mixture alone says 0 bits."""
    for seed in range(2):
        weights = getattr(np.random.default_rng(seed), draw)(size=2000)
        assert 1 <= fit_mixture(weights, seed=seed).components <= most


def test_tolerance_turns_a_bell_into_bits():
    """The values of an independent fit; which small component is kept is a matter of the start.

    Distortion of the selected levels falls with the bits.
    """
    weights = np.random.default_rng(0).normal(size=2000).astype("float32")
    distortion = []
    for tolerance, components in [(1.0, 1), (0.5, 4), (0.25, 8), (0.125, 13)]:
        fit = fit_mixture(weights, tolerance=tolerance)
        assert abs(fit.components - components) <= 1
        assert fit.bits == bits_of(components)
        distortion.append(((weights - fit.levels.rounded(weights)) ** 2).mean())
    assert distortion == sorted(distortion, reverse=True)


@pytest.mark.parametrize("variant", ["G", "U"])
def test_scale_and_shift_change_the_units_alone(variant):
    weights = clustered(4, 0)
    options = {"variant": variant, "truncation": 16, "tolerance": 0.1}
    fit = fit_mixture(weights, **options)
    moved = fit_mixture(1e-3 * weights + 7.0, **options)
    assert moved.bits == fit.bits
    # rounding of w - mean at 7 +- 1e-3 is 1e-12 of the deviation
    np.testing.assert_allclose(moved.weights, fit.weights, atol=1e-9)
    np.testing.assert_allclose(moved.means, 1e-3 * fit.means + 7.0, atol=1e-9)
    assert moved.bound == pytest.approx(fit.bound - len(weights) * np.log(1e-3), rel=1e-8)


def test_order_of_the_weights_changes_nothing():
    weights = clustered(3, 0)
    fit = fit_mixture(weights)
    mixed = fit_mixture(np.random.default_rng(1).permutation(weights).reshape(20, 50))
    np.testing.assert_array_equal(mixed.means, fit.means)
    assert mixed.bounds == fit.bounds


@pytest.mark.parametrize("variant", ["G", "U"])
@pytest.mark.parametrize("count, alpha", [(64, 1.0), (576, 10.0), (576, 100.0)])
def test_components_without_weights_do_not_count(count, alpha, variant):
    """The prior gives them alpha / (count + alpha) of the mass: 1.5, 1.7 and 15 %."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1.0, 1.0], count) + rng.normal(0, 0.05, count)
    fit = fit_mixture(weights, truncation=16, alpha=alpha, tolerance=0.2, variant=variant)
    assert (fit.components, fit.bits) == (2, 1)


@pytest.mark.parametrize("tolerance", [0.02, 0.01, 1e-6])
def test_a_fine_tolerance_uses_all_components(tolerance):
    """More of them are wanted than there are: the precision may not yield instead."""
    fit = fit_mixture(
        np.random.default_rng(0).normal(size=2000), truncation=16, tolerance=tolerance
    )
    assert fit.components >= 13
    assert fit.bits == 4


@pytest.mark.parametrize("variant", ["G", "U"])
def test_least_bits(variant):
    """A few weights beside many equal ones have next to no mass, whatever the tolerance."""
    weights = np.zeros(1000)
    weights[:4] = [1.0, -1.0, 2.0, 0.5]
    options = {"variant": variant, "truncation": 16, "tolerance": 0.2}
    assert fit_mixture(weights, **options).bits < 2
    fit = fit_mixture(weights, **options, least_bits=2)
    assert fit.bits == 2
    assert len(np.unique(fit.levels.rounded(weights.astype("float32")))) > 2


def test_twice_the_weights_have_as_many_clusters():
    weights = clustered(4, 0)
    assert fit_mixture(np.tile(weights, 2)).components == 4


def test_larger_alpha_has_no_fewer_components():
    """A trend, over 3 draws of a heavy-tailed layer."""
    means = []
    for alpha in (0.1, 1.0, 100.0):
        found = [
            fit_mixture(
                np.random.default_rng(seed).standard_t(4, 400), alpha=alpha, tolerance=0.3
            ).components
            for seed in range(3)
        ]
        means.append(np.mean(found))
    assert means == sorted(means)
    assert means[-1] > means[0] + 1


def test_large_layers_are_put_together():
    """A sixth of the points: same bits, and a bound that says what it lost."""
    weights = clustered(4, 0, count=6000)
    whole = fit_mixture(weights, tolerance=0.1)
    fit = fit_mixture(weights, tolerance=0.1, most_points=1000)
    assert whole.binning_change == 0
    assert fit.components == whole.components == 4
    assert 0 < fit.binning_change < 1e-3 * abs(whole.bound)
    assert fit.bound + fit.binning_change == pytest.approx(whole.bound, rel=1e-6)


def test_levels_are_the_mean_weights_of_the_heaviest_components():
    """The prior draws posterior means away by up to 2 x 0.01 / 400: 5e-5."""
    fit = fit_mixture(clustered(5, 0, count=2000))
    assert len(fit.levels.values) == 8
    np.testing.assert_allclose(np.unique(fit.levels.values)[:5], np.sort(fit.means[:5]), atol=1e-4)


@pytest.mark.parametrize(
    "weights, options, said",
    [
        (np.full(64, 0.25), {}, "all 64 weights are 0.25: a constant layer"),
        (np.array([0.1, np.nan] * 32), {}, "32 of 64 weights are not finite"),
        (np.arange(9.0), {}, "9 weights are fewer than the truncation 32; use a truncation of 8"),
        (np.arange(64.0), {"variant": "K"}, "'G' or 'U'"),
        (np.arange(64.0), {"alpha": 0.0}, "alpha must be positive"),
        (np.arange(64.0), {"tolerance": -1.0}, "tolerance must be finite and at least 1e-06"),
        (np.arange(64.0), {"tolerance": np.nan}, "at least 1e-06, got nan"),
        (np.arange(64.0), {"least_bits": 6}, "32 components have 0 to 5 bits, got 6"),
        (np.arange(64.0), {"mass": 1.0}, "mass must be between 0 and 1"),
        (np.arange(64.0), {"truncation": 0}, "truncation is 1 to 65536"),
        (np.zeros(0), {}, "no weights"),
    ],
)
def test_refused(weights, options, said):
    with pytest.raises(CompressionError, match=said):
        fit_mixture(weights, **options)
