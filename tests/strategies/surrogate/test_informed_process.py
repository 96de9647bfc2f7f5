"""A process that begins with what earlier runs have found."""

from __future__ import annotations

import numpy as np
from scipy.optimize import check_grad

from autodl.strategies.surrogate.gaussian_process import GaussianProcess, negative_log_posterior
from autodl.strategies.surrogate.informed_process import InformedProcess
from autodl.strategies.surrogate.kernels import DecisionKernel, WithFeatures
from autodl.strategies.surrogate.rewards import normal_scores

SIZES = (3, 4, 2, 5)
WORTH = np.array([[0.0, 2.0, 1.0, 0, 0], [1, 0, 3, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 2, 5]])


def rows(count, seed=0):
    return np.random.default_rng(seed).integers(SIZES, size=(count, 4))


def worth(rows):
    return WORTH[np.arange(4), rows].sum(axis=1)


def past(sign=1.0):
    return [(some, normal_scores(sign * worth(some))) for some in (rows(60, 5), rows(60, 6))]


def test_without_earlier_runs_it_is_the_plain_process():
    plain, informed = GaussianProcess(DecisionKernel(SIZES)), InformedProcess(DecisionKernel(SIZES))
    informed.learn_from([])
    for model in (plain, informed):
        model.fit(rows(20), normal_scores(worth(rows(20))))
        model.update(rows(9, seed=1), normal_scores(worth(np.vstack([rows(20), rows(9, seed=1)]))))
    first, second = (model.posterior(rows(30, seed=2)) for model in (plain, informed))
    assert (first.mean == second.mean).all()
    assert (first.variance == second.variance).all()


def test_before_the_first_trial_it_believes_the_earlier_runs():
    model, new = InformedProcess(DecisionKernel(SIZES)), rows(40, seed=2)
    model.learn_from(past())
    model.fit(np.empty((0, 4), np.int64), np.empty(0))
    posterior = model.posterior(new)
    assert np.corrcoef(posterior.mean, worth(new))[0, 1] > 0.95
    assert (posterior.variance > 0).all()
    np.testing.assert_allclose(
        posterior.variance, np.diag(posterior.covariance(np.arange(40))), atol=1e-12
    )


def test_after_a_fit_to_none_rows_may_come_one_by_one_or_at_once():
    beliefs = []
    for steps in ((1, 2, 5), (5,)):
        model = InformedProcess(DecisionKernel(SIZES))
        model.learn_from(past())
        model.fit(np.empty((0, 4), np.int64), np.empty(0))
        known = 0
        for count in steps:
            some = rows(5)
            model.update(some[known:count], normal_scores(worth(some[:count])))
            known = count
        model.update(some[:0], normal_scores(worth(some)))
        beliefs.append(model.posterior(rows(30, seed=2)))
    assert (beliefs[0].mean == beliefs[1].mean).all()
    assert (beliefs[0].variance == beliefs[1].variance).all()


def test_a_few_trials_beside_earlier_runs_tell_more_than_alone():
    new = rows(40, seed=2)
    errors = []
    for history in (past(), []):
        model = InformedProcess(DecisionKernel(SIZES))
        model.learn_from(history)
        model.fit(rows(8), normal_scores(worth(rows(8))))
        errors.append(1 - np.corrcoef(model.posterior(new).mean, worth(new))[0, 1])
    assert errors[0] < errors[1] / 2


def test_runs_that_mislead_are_found_out():
    """They rank everything the wrong way round: after 40 trials that hardly matters."""
    model, new = InformedProcess(DecisionKernel(SIZES)), rows(40, seed=2)
    model.learn_from(past(-1.0))
    model.fit(rows(40), normal_scores(worth(rows(40))))
    assert np.corrcoef(model.posterior(new).mean, worth(new))[0, 1] > 0.9


def test_gradient_with_lines_is_that_of_finite_differences():
    kernel = WithFeatures(DecisionKernel(SIZES), lambda some: some[:, :2] - 1.0, 2)
    known, values = rows(12), worth(rows(12)) - 4
    settings = np.append(kernel.start, -3.0)
    error = check_grad(
        lambda s: negative_log_posterior(s, kernel, known, values)[0],
        lambda s: negative_log_posterior(s, kernel, known, values)[1],
        settings,
    )
    assert error < 1e-4  # forward differences, of a value near 100
    matrix, _ = kernel.pullback(known)(kernel.start)
    np.testing.assert_allclose(matrix, kernel.matrix(kernel.start, known, known), atol=1e-12)
    np.testing.assert_allclose(np.diag(matrix), kernel.diagonal(kernel.start, known), atol=1e-12)


def test_the_mean_alone_is_that_of_the_posterior():
    model = GaussianProcess(DecisionKernel(SIZES))
    model.fit(rows(20), normal_scores(worth(rows(20))))
    new = rows(7, seed=3)
    np.testing.assert_allclose(model.mean(new), model.posterior(new).mean, atol=1e-9)
