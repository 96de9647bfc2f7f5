from __future__ import annotations

import numpy as np
import pytest

from autodl.strategies.surrogate.additive import AdditiveProcess
from autodl.strategies.surrogate.candidates import all_rows, random_rows

SIZES = (6, 5, 4, 1)
ROWS = all_rows(SIZES)


def worth(rows):
    return -((rows[:, 0] - 2) ** 2) - (rows[:, 1] - 3) ** 2 + 0.5 * rows[:, 2]


def fitted(count=40, **options):
    process = AdditiveProcess(SIZES, **options)
    rows = random_rows(SIZES, count, np.random.default_rng(0))
    rewards = worth(rows).astype(float)
    rewards = (rewards - rewards.mean()) / rewards.std()
    process.fit(rows, rewards)
    return process, rows, rewards


@pytest.mark.parametrize("group, nodes", [(1, 8), (2, 6)])
def test_it_learns_a_sum(group, nodes):
    process, _, _ = fitted(group=group, nodes=nodes)
    assert np.corrcoef(process.posterior(ROWS).mean, worth(ROWS))[0, 1] > 0.98


def test_updating_is_fitting_with_the_same_settings():
    process, rows, rewards = fitted(group=1)
    other = AdditiveProcess(SIZES, group=1)
    other.fit(rows, rewards)
    more = np.append(rewards, 0.3)
    process.update(rows[:1], more)
    other.update(rows[:1], more)
    assert (process.posterior(ROWS).mean == other.posterior(ROWS).mean).all()


def test_maxima_of_draws_are_of_the_space_and_near_the_best():
    process, _, _ = fitted(group=2, nodes=6)
    rng = np.random.default_rng(0)
    found = [row for row, _ in zip(process.best_of_draws(rng), range(60), strict=False)]
    assert all((row >= 0).all() and (row < SIZES).all() for row in found)
    assert worth(np.array(found[:20])).mean() > np.quantile(worth(ROWS), 0.95)
    assert sum((row != found[0]).sum() == 1 for row in found[20:]) > 5  # then neighbours


def test_the_draws_are_those_of_the_posterior():
    """The most frequent maximum of draws is among the rows that are believed to be best."""
    process, _, _ = fitted(group=1)
    rng = np.random.default_rng(1)
    draws = process.posterior(ROWS).draw(rng, 200).argmax(axis=1)
    own = [
        int(np.flatnonzero((row == ROWS).all(axis=1))[0])
        for _ in range(10)
        for row, _ in zip(process.best_of_draws(rng), range(20), strict=False)
    ]
    common = np.bincount(draws, minlength=len(ROWS)) / 200
    frequent = np.bincount(own, minlength=len(ROWS)) / 200
    # half the sum of absolute differences of two samples of 200 over a handful of rows
    assert np.abs(common - frequent).sum() / 2 < 0.3


def test_drawn_frequencies_are_as_many():
    process, rows, _ = fitted(group=2, nodes=6, random=True)
    control = AdditiveProcess(SIZES, group=2, nodes=6)
    widths = {one.posterior(rows).covariance(np.arange(2)).shape for one in (process, control)}
    assert widths == {(40, 2)}
    assert np.corrcoef(process.posterior(ROWS).mean, worth(ROWS))[0, 1] > 0.9
