from __future__ import annotations

import numpy as np
import pytest
from own_space_for_tests import Signs

from autodl.errors import ConfigError
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.strategy import Informed, PastRun
from autodl.strategies.surrogate.candidates import all_rows
from autodl.strategies.surrogate.history.meta_prior import EstimatedPrior, meta_bo
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch
from autodl.trial import Evaluation, Trial, TrialState

SIZES = (3, 3, 3)
ROWS = all_rows(SIZES)


def task(seed=0, noise=0.0):
    """Scores of all rows: what all tasks have in common, and some of its own."""
    common = np.random.default_rng(7).normal(size=(3, 3))
    worth = sum(common[i][ROWS[:, i]] for i in range(3))
    scores = worth + noise * np.random.default_rng(seed).normal(size=len(ROWS))
    return (scores - scores.mean()) / scores.std()


def informed(runs=2, noise=0.1):
    model = EstimatedPrior(SIZES)
    model.learn_from([(ROWS, task(seed, noise)) for seed in range(runs)])
    model.fit(ROWS[:0], np.empty(0))
    return model


def test_before_any_trial_it_believes_what_the_runs_found():
    posterior = informed().posterior(ROWS)
    assert np.corrcoef(posterior.mean, task())[0, 1] > 0.95
    assert (posterior.variance > 0).all()


def test_where_the_runs_differ_it_is_less_certain():
    alike = informed(noise=0.0).posterior(ROWS).variance
    differing = informed(noise=2.0).posterior(ROWS).variance
    assert differing.mean() > alike.mean()


def test_trials_move_it_on_their_own_scale():
    model, seen = informed(), np.array([0, 5, 9, 13, 20, 26])
    truth = 100 + 5 * task(3, 0.3)
    rewards = (truth[seen] - truth[seen].mean()) / truth[seen].std()
    model.update(ROWS[seen], rewards)
    posterior = model.posterior(ROWS)
    np.testing.assert_allclose(posterior.mean[seen], rewards, atol=0.5)
    expected = (truth - truth[seen].mean()) / truth[seen].std()
    assert np.corrcoef(posterior.mean, expected)[0, 1] > 0.9
    assert posterior.variance[seen].mean() < np.delete(posterior.variance, seen).mean()


def test_variance_and_covariance_agree():
    model = informed()
    model.update(ROWS[[1, 8]], np.array([-1.0, 1.0]))
    posterior = model.posterior(ROWS)
    columns = np.arange(len(ROWS))
    whole = posterior.covariance(columns)
    np.testing.assert_allclose(whole, whole.T, atol=1e-12)
    np.testing.assert_allclose(whole.diagonal(), posterior.variance, atol=1e-12)
    assert np.linalg.eigvalsh(whole).min() > -1e-9


def test_fitting_again_forgets_the_trials_and_not_the_runs():
    model = informed()
    expected = model.posterior(ROWS).mean
    model.fit(ROWS[:4], np.arange(4.0))
    model.fit(ROWS[:0], np.empty(0))
    assert (model.posterior(ROWS).mean == expected).all()


def past(rewards, space, name="earlier"):
    rows = all_rows(space.sizes)[: len(rewards)]
    return PastRun(
        name,
        tuple(
            Trial(i, space.decode(row), TrialState.COMPLETE, Evaluation(float(reward)))
            for i, (row, reward) in enumerate(zip(rows, rewards, strict=True))
        ),
    )


def test_a_search_with_history_begins_with_what_was_best():
    space = Signs()
    rows = all_rows(space.sizes)[:40]
    strategy = meta_bo(space)
    assert isinstance(strategy, Informed)
    strategy.learn_from([past(rows.sum(axis=1), space), past(10.0 * rows.sum(axis=1), space)])
    first = strategy.ask(np.random.default_rng(0))
    assert space.encode(first).sum() >= np.sort(rows.sum(axis=1))[-3]


def test_a_strategy_that_learns_nothing_from_history_says_so():
    strategy = SurrogateSearch(Signs(), SurrogateOptions(model="ridge"))
    with pytest.raises(ConfigError, match="teaches this Strategy nothing"):
        strategy.learn_from([past([1.0, 2.0], Signs())])
