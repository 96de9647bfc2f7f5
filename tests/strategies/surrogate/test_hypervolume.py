"""Expected hypervolume improvement against the hypervolume itself, and against draws."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.objectives.dominance import hypervolume
from autodl.strategies.surrogate.acquisition import expected_improvement
from autodl.strategies.surrogate.hypervolume import Volume, expected_volume, free_boxes
from autodl.strategies.surrogate.posterior import NormalPosterior


def points(count, objectives, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, objectives))


def believed(means, deviation):
    between = lambda columns: np.zeros((len(means), len(columns)))  # noqa: E731
    variance = np.full(len(means), deviation**2)
    return [NormalPosterior(column, variance, between) for column in means.T]


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_boxes_and_what_is_dominated_fill_the_cube(count, objectives):
    values, reference = points(count, objectives), np.full(objectives, 0.2)
    lower, upper = free_boxes(values, reference)
    volume = (np.minimum(upper, 1) - lower).prod(axis=1).sum()
    assert volume + hypervolume(values, reference) == pytest.approx(0.8**objectives)


@pytest.mark.parametrize("objectives", [2, 3])
def test_boxes_do_not_overlap(objectives):
    lower, upper = free_boxes(points(10, objectives), np.zeros(objectives))
    common = np.minimum(upper[:, None], upper) - np.maximum(lower[:, None], lower)
    both = (common > 0).all(axis=2)
    np.testing.assert_array_equal(both, np.eye(len(lower), dtype=bool))


@pytest.mark.parametrize("objectives", [2, 3])
def test_without_doubt_it_is_what_the_hypervolume_grows_by(objectives):
    values, asked, reference = (
        points(9, objectives),
        points(20, objectives, 1),
        np.zeros(objectives),
    )
    found = expected_volume(asked, np.full(asked.shape, 1e-9), free_boxes(values, reference))
    before = hypervolume(values, reference)
    grown = [hypervolume(np.vstack([values, one]), reference) - before for one in asked]
    np.testing.assert_allclose(found, grown, atol=1e-8)  # ten deviations
    assert found.max() > 0


@pytest.mark.parametrize("objectives", [2, 3])
def test_with_doubt_it_is_the_mean_over_draws(objectives):
    """600 draws for each of three rows; five standard errors."""
    rng = np.random.default_rng(2)
    values, means, reference = points(6, objectives), points(3, objectives, 1), np.zeros(objectives)
    deviations = rng.uniform(0.1, 0.4, size=means.shape)
    found = expected_volume(means, deviations, free_boxes(values, reference))
    before = hypervolume(values, reference)
    for mean, deviation, wanted in zip(means, deviations, found, strict=True):
        drawn = mean + deviation * rng.normal(size=(600, objectives))
        grown = np.array([hypervolume(np.vstack([values, f]), reference) for f in drawn]) - before
        assert abs(grown.mean() - wanted) < 5 * grown.std() / np.sqrt(len(drawn))


def test_of_one_objective_it_is_expected_improvement():
    values, mean, deviation = points(5, 1), points(8, 1, 1), np.full((8, 1), 0.3)
    found = expected_volume(mean, deviation, free_boxes(values, np.zeros(1)))
    wanted = expected_improvement(mean[:, 0], deviation[:, 0], float(values.max()))
    np.testing.assert_allclose(found, wanted)


def test_many_rows_are_as_one_by_one(monkeypatch):
    monkeypatch.setattr("autodl.strategies.surrogate.hypervolume._AT_ONCE", 50)
    means, boxes = points(7, 2, 1), free_boxes(points(6, 2), np.zeros(2))
    assert len(boxes[0]) > 3
    single = [expected_volume(one[None], np.full((1, 2), 0.2), boxes)[0] for one in means]
    np.testing.assert_allclose(expected_volume(means, np.full((7, 2), 0.2), boxes), single)


def test_what_is_running_leaves_less_where_it_is():
    values = np.array([[0.0, 1.0], [1.0, 0.0]])
    asked = believed(np.array([[0.8, 0.8], [0.1, 1.5]]), 0.05)
    alone = Volume(values, np.empty((0, 2))).improvement(asked)
    beside = Volume(values, np.array([[0.8, 0.8]])).improvement(asked)
    assert alone[0] > alone[1]
    assert beside[0] < beside[1]


def test_hopeless_candidates_and_equal_trials_stay_finite():
    found = Volume(np.zeros((3, 2)), np.empty((0, 2))).improvement(
        believed(np.array([[-60.0, -60.0], [0.0, 0.0]]), 0.1)
    )
    assert np.isfinite(found).all()
    assert found[0] < found[1]
