from __future__ import annotations

import numpy as np
from own_space_for_tests import Signs

from autodl.strategies.options import LatentFactorsOptions
from autodl.strategies.strategy import PastRun
from autodl.strategies.surrogate.acquisition import log_expected_improvement
from autodl.strategies.surrogate.candidates import all_rows
from autodl.strategies.surrogate.history.task_factors import TaskFactors, latent_factors
from autodl.strategies.surrogate.rewards import standardised
from autodl.trial import Evaluation, Trial, TrialState

PIPELINES = all_rows((60,))


def tables(seed):
    """Scores ``a_d b_p`` and a little noise: three tasks with holes, and a new one."""
    rng = np.random.default_rng(seed)
    ability, worth = rng.uniform(0.5, 1.5, 4), rng.normal(size=len(PIPELINES))
    scores = np.outer(worth, ability) + 0.02 * rng.normal(size=(len(PIPELINES), 4))
    past = []
    for task in range(3):
        tried = np.flatnonzero(rng.random(len(PIPELINES)) < 0.7)
        past.append((PIPELINES[tried], standardised(scores[tried, task])))
    return past, scores[:, 3]


def trials_to_best(seed):
    """Of all pipelines that some task has tried; and how often a search proposes one again."""
    past, scores = tables(seed)
    model = TaskFactors((60,), dimensions=1)
    model.learn_from(past)
    known = np.sort(model.known[:, 0])
    tried = model.known[:3, 0].tolist()
    best = int(known[scores[known].argmax()])
    while best not in tried:
        rewards = standardised(scores[tried])
        model.fit(PIPELINES[tried], rewards)
        left = np.setdiff1d(known, tried)
        posterior = model.posterior(PIPELINES[left])
        gain = log_expected_improvement(
            posterior.mean, np.sqrt(posterior.variance), float(rewards.max())
        )
        tried.append(int(left[gain.argmax()]))
    return tried.index(best) + 1, len(known)


def test_on_a_table_of_rank_one_it_beats_random_search():
    """Random search needs (n + 1) / 2 on average; this has to win in over nine of ten."""
    found = [trials_to_best(seed) for seed in range(12)]
    assert np.mean([trials < (count + 1) / 2 for trials, count in found]) > 0.9
    assert np.median([trials for trials, _ in found]) <= 6


def test_what_no_run_has_tried_keeps_its_prior():
    past, _ = tables(0)
    model = TaskFactors((60,), dimensions=2)
    model.learn_from(past[:1])
    unknown = np.setdiff1d(np.arange(60), past[0][0][:, 0])
    model.fit(PIPELINES[past[0][0][:3, 0]], np.array([1.0, 0.0, -1.0]))
    before = model.posterior(PIPELINES)
    model.update(PIPELINES[unknown[:1]], np.array([1.0, 0.0, -1.0, 5.0]))
    after = model.posterior(PIPELINES)
    assert (after.mean == before.mean).all()
    assert (after.mean[unknown] == 0).all()
    assert len(set(after.variance[unknown].round(9))) == 1
    covariance = after.covariance(unknown)[unknown]
    np.testing.assert_allclose(covariance, np.diag(after.variance[unknown]), atol=1e-12)


def test_a_search_begins_with_the_best_on_average_and_proposes_what_is_known():
    space = Signs()
    rows = all_rows(space.sizes)[:6]
    runs = [
        PastRun(
            name,
            tuple(
                Trial(i, space.decode(row), TrialState.COMPLETE, Evaluation(reward))
                for i, (row, reward) in enumerate(zip(rows, rewards, strict=True))
            ),
        )
        for name, rewards in [("a", [1.0, 5, 2, 4, 0, 3]), ("b", [10.0, 90, 30, 95, 0, 20])]
    ]
    strategy = latent_factors(space, LatentFactorsOptions(warm=2))
    strategy.learn_from(runs)
    asked = []
    for i in range(6):
        architecture = strategy.ask(np.random.default_rng(i))
        asked.append(space.encode(architecture).tolist())
        strategy.tell(Trial(i, architecture, TrialState.COMPLETE, Evaluation(float(i))))
    assert sorted(asked) == sorted(rows.tolist())
    assert {tuple(row) for row in asked[:2]} == {tuple(rows[1]), tuple(rows[3])}
    space.check(strategy.ask(np.random.default_rng(7)))  # all known ones are used up
