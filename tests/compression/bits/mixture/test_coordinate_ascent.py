"""The bound: never falls, never above the evidence, and every part as written out in full.

``written_out`` is the bound of any responsibilities ``[N, T]``, term by term.
"""

from itertools import product

import numpy as np
import pytest
from scipy.special import betaln, digamma, gammaln, logsumexp

from autodl.compression.bits.mixture.coordinate_ascent import (
    Mixture,
    ascend,
    bound_of,
    from_moments,
    merge_moves,
    moments_around,
    plus_plus_centres,
    sweep,
)
from autodl.compression.bits.mixture.gaussians import (
    GaussianGrid,
    Moments,
    NormalGamma,
    NormalGammaPrior,
)
from autodl.compression.bits.mixture.points import weighted_points
from autodl.compression.bits.mixture.sticks import Sticks

PRIOR = NormalGammaPrior(mean=0.1, strength=0.05, shape=1.0, rate=0.02)


def written_out(weights, shares, mixture):
    """L_v + L_z + L_w, less the divergence of the Normal-Gammas."""
    first, second, alpha = mixture.sticks.first, mixture.sticks.second, mixture.alpha
    both = digamma(first + second)
    taken, left = digamma(first) - both, digamma(second) - both
    of_sticks = (
        gammaln(1 + alpha)
        - gammaln(alpha)
        + (alpha - 1) * left
        + betaln(first, second)
        - (first - 1) * taken
        - (second - 1) * left
    ).sum()
    behind = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1] - shares
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum()
    of_members = (shares * taken + behind * left).sum() + entropy
    scores = mixture.gaussians.scores()
    away = weights[:, None] - scores.means
    of_weights = (shares * (scores.offsets - 0.5 * scores.precisions * away**2)).sum()
    return of_sticks + of_members + of_weights - mixture.gaussians.divergence()


def best_shares(weights, mixture):
    scores = mixture.gaussians.scores()
    away = weights[:, None] - scores.means
    logs = mixture.sticks.log_weights() + scores.offsets - 0.5 * scores.precisions * away**2
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def moments_of(weights, shares):
    counts = shares.sum(axis=0)
    means = weights @ shares / counts
    return Moments(counts, means, ((weights[:, None] - means) ** 2 * shares).sum(axis=0) / counts)


def mixture_of(weights, variant, components=6, alpha=1.5, seed=0):
    points = weighted_points(weights)
    if variant == "U":
        gaussians = GaussianGrid.between(weights.min(), weights.max(), components, 30.0)
        centres = gaussians.scores().means
    else:
        nothing = np.zeros(components)
        gaussians = NormalGamma(PRIOR, nothing, nothing, nothing, nothing)
        centres = plus_plus_centres(points, components, np.random.default_rng(seed))
    return points, from_moments(moments_around(points, centres, components), gaussians, alpha)


@pytest.fixture(params=["G", "U"])
def variant(request):
    return request.param


@pytest.fixture
def weights():
    rng = np.random.default_rng(3)
    return rng.choice([-1.0, 0.0, 0.4, 2.0], 400) + rng.normal(0, 0.15, 400)


def test_bound_of_a_sweep_is_the_one_written_out(weights, variant):
    points, mixture = mixture_of(weights, variant)
    for _ in range(3):
        expected = written_out(weights, best_shares(weights, mixture), mixture)
        mixture = sweep(points, mixture)
        # float64 sums of 400 x 6 terms in another order
        assert mixture.bound == pytest.approx(expected, rel=1e-11)


def test_bound_never_falls(weights, variant):
    """Sweeps with their re-ordering by size; up to rounding, 1e-9 of the bound."""
    points, mixture = mixture_of(weights, variant, components=12)
    bounds = []
    for _ in range(80):
        mixture = sweep(points, mixture)
        bounds.append(mixture.bound)
        assert (np.diff(mixture.moments.counts) <= 0).all()
    assert np.diff(bounds).min() >= -1e-9 * abs(bounds[-1])
    assert bounds[-1] > bounds[0]


def test_no_single_update_lowers_the_bound(weights, variant):
    """Responsibilities, order, sticks, components: each alone, from a poor start."""
    rng = np.random.default_rng(0)
    _, mixture = mixture_of(weights, variant)
    shares = rng.dirichlet(np.ones(6), size=len(weights))
    value = written_out(weights, shares, mixture)
    for _ in range(20):
        for update in ("shares", "sticks", "order", "gaussians"):
            counts = shares.sum(axis=0)
            sticks, gaussians = mixture.sticks, mixture.gaussians
            if update == "shares":
                shares = best_shares(weights, mixture)
            elif update == "sticks":
                sticks = Sticks.posterior(counts, mixture.alpha)
            elif update == "order":  # with the best sticks, before and behind it
                order = np.argsort(-counts)
                shares, gaussians = shares[:, order], gaussians.reordered(order)
                sticks = Sticks.posterior(counts[order], mixture.alpha)
            else:
                gaussians = gaussians.updated(moments_of(weights, shares))
            mixture = of(mixture, sticks, gaussians)
            new = written_out(weights, shares, mixture)
            assert new >= value - 1e-9 * abs(value), update
            value = new


def of(mixture, sticks, gaussians=None):
    return Mixture(mixture.alpha, sticks, gaussians or mixture.gaussians, mixture.moments)


@pytest.mark.parametrize("seed", range(5))
def test_bound_is_below_the_evidence(seed):
    """5 points, 2 components: the evidence by all 32 assignments, each of them conjugate."""
    rng = np.random.default_rng(seed)
    weights, alpha = rng.normal(size=5) * rng.choice([0.1, 1.0]), 0.8
    terms = []
    for owners in product([0, 1], repeat=5):
        owners = np.array(owners)
        ones, zeros = int((owners == 0).sum()), int((owners == 1).sum())
        total = betaln(1 + ones, alpha + zeros) + betaln(1 + zeros, alpha) - 2 * betaln(1, alpha)
        for t in (0, 1):
            total += marginal(weights[owners == t])
        terms.append(total)
    points, mixture = mixture_of(weights, "G", components=2, alpha=alpha)
    mixture, _ = ascend(points, mixture, 200)
    evidence = logsumexp(terms)
    assert mixture.bound <= evidence + 1e-9
    assert mixture.bound > evidence - 5.0  # a bound that says something


def marginal(weights):
    """Log marginal likelihood under a Normal-Gamma prior."""
    n = len(weights)
    if not n:
        return 0.0
    mean, scatter = weights.mean(), weights.var() * n
    strength, shape = PRIOR.strength + n, PRIOR.shape + n / 2
    rate = (
        PRIOR.rate + 0.5 * scatter + 0.5 * PRIOR.strength * n * (mean - PRIOR.mean) ** 2 / strength
    )
    return (
        gammaln(shape)
        - gammaln(PRIOR.shape)
        + PRIOR.shape * np.log(PRIOR.rate)
        - shape * np.log(rate)
        + 0.5 * np.log(PRIOR.strength / strength)
        - n / 2 * np.log(2 * np.pi)
    )


def test_same_posterior_as_scikit_learn():
    """Same prior, same first responsibilities, as many sweeps.

    scikit-learn does not order by size: the components start in order of size and stay so. It adds
    2e-15 to every count; 1e-7 leaves room for 30 sweeps.
    """
    from sklearn.mixture import BayesianGaussianMixture

    rng = np.random.default_rng(1)
    sizes, centres = [500, 300, 150], [0.0, 3.0, -2.0]
    weights = np.concatenate([rng.normal(c, 0.4, n) for c, n in zip(centres, sizes, strict=True)])
    owner = np.repeat([0, 1, 2], sizes)
    shares = np.zeros((len(weights), 4))
    shares[np.arange(len(weights)), owner] = 1.0
    alpha, prior = 1.3, NormalGammaPrior(0.2, 0.01, 1.0, 0.05)

    class FromShares(BayesianGaussianMixture):
        def _initialize_parameters(self, X, random_state, **_):  # noqa: N803
            self._initialize(X, shares)

    reference = FromShares(
        n_components=4,
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=alpha,
        mean_prior=[prior.mean],
        mean_precision_prior=prior.strength,
        degrees_of_freedom_prior=2 * prior.shape,
        covariance_prior=[[2 * prior.rate]],
        reg_covar=0.0,
        max_iter=30,
        tol=0.0,
    )
    with pytest.warns(UserWarning, match="not converge"):
        reference.fit(weights[:, None])

    points = weighted_points(weights)
    nothing = np.zeros(4)
    gaussians = NormalGamma(prior, nothing, nothing, nothing, nothing)
    mixture = from_moments(moments_around(points, np.array(centres), 4), gaussians, alpha)
    for _ in range(30):
        mixture = sweep(points, mixture)
    found = mixture.gaussians
    np.testing.assert_allclose(found.means[:3], reference.means_[:3, 0], rtol=1e-7)
    precisions = (found.shapes / found.rates)[:3]
    np.testing.assert_allclose(precisions, reference.precisions_[:3, 0, 0], rtol=1e-7)
    np.testing.assert_allclose(mixture.sticks.first, reference.weight_concentration_[0], 1e-7)
    np.testing.assert_allclose(mixture.sticks.second, reference.weight_concentration_[1], 1e-7)


def test_points_put_together_have_a_lower_bound(weights, variant):
    """Sharing responsibilities within a point is a restriction; few points change little."""
    rng = np.random.default_rng(0)
    many = np.concatenate([weights + rng.normal(0, 0.01, 400) for _ in range(20)])
    points, mixture = mixture_of(many, variant)
    mixture, _ = ascend(points, mixture, 50)
    bound = bound_of(points, mixture)
    previous = -np.inf
    for most in (50, 200, 1000):
        binned = bound_of(weighted_points(many, most), mixture)
        assert previous <= binned <= bound
        previous = binned
    assert bound - previous < 1e-3 * abs(bound)


def test_blocks_change_nothing(weights, variant, monkeypatch):
    points, mixture = mixture_of(weights, variant)
    whole = sweep(points, mixture)
    monkeypatch.setattr("autodl.compression.bits.mixture.coordinate_ascent._BLOCK", 50)
    blocks = sweep(points, mixture)
    assert blocks.bound == pytest.approx(whole.bound, rel=1e-12)
    np.testing.assert_allclose(blocks.moments.means, whole.moments.means, rtol=1e-12)


def test_responsibilities_become_those_of_k_means(weights):
    """At high precision they are 0 or 1, and -L_w / lambda is half the distortion."""
    precision = 1e10
    grid = GaussianGrid.between(-1.0, 2.0, 6, precision)
    counts = np.full(6, len(weights) / 6)
    mixture = Mixture(1.0, Sticks.posterior(counts, 1.0), grid, Moments(counts, counts, counts))
    shares = best_shares(weights, mixture)
    nearest = np.abs(weights[:, None] - grid.scores().means).argmin(axis=1)
    np.testing.assert_array_equal(shares.argmax(axis=1), nearest)
    assert shares.max(axis=1).min() > 1 - 1e-12
    scores = grid.scores()
    away = (weights[:, None] - scores.means) ** 2
    of_weights = (shares * (scores.offsets - 0.5 * precision * away)).sum()
    # 0.5 log(lambda / 2 pi) / lambda is what is left of the normalisation: 1e-9
    assert -of_weights / precision == pytest.approx(0.5 * away.min(axis=1).sum(), abs=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_merges_are_kept_only_if_the_bound_rises(seed):
    """By the bound of the mixtures themselves, of which a swept one's own is a sweep behind."""
    points, mixture = mixture_of(np.random.default_rng(seed).laplace(size=400), "G", components=12)
    mixture, _ = ascend(points, mixture, 20)
    merged, bounds = merge_moves(points, mixture)
    assert len(bounds) > 2
    assert (np.diff([bound_of(points, mixture), *bounds]) > 0).all()
    assert bounds[-1] == bound_of(points, merged)
    assert merged.active <= mixture.active - len(bounds)


def test_ascent_goes_on_where_a_mixture_comes_from_other_points(weights):
    """Bounds of few points and of many are not comparable: the fewer here have the higher one."""
    few, mixture = mixture_of(weights[:40], "G", components=6)
    mixture, _ = ascend(few, mixture, 100)
    many = weighted_points(weights)
    assert bound_of(many, mixture) < mixture.bound
    _, bounds = ascend(many, mixture, 100)
    assert len(bounds) > 2
    assert bounds[-1] - bounds[-2] <= 1e-8 * abs(bounds[-1])


def test_centres():
    points = weighted_points([0.0, 0.0, 0.0, 5.0, 9.0])
    drawn = plus_plus_centres(points, 8, np.random.default_rng(0))
    assert sorted(drawn) == [0, 5, 9]  # as many as there are different points
    drawn = plus_plus_centres(points, 2, np.random.default_rng(0), given=np.array([0.0]))
    assert drawn[0] == 0
    assert drawn[1] in (5, 9)
