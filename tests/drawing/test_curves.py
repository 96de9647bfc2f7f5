"""Curves of searches: means and bands are those of the seeds."""

from __future__ import annotations

import numpy as np
from scipy.stats import ttest_1samp

from autodl.drawing.curves import Group, draw_comparison
from autodl.tasks.task import ABSOLUTE_ERROR


def band(axes, number=0):
    """Lower and upper edge of a band, at each place that it is drawn at."""
    points = axes.collections[number].get_paths()[0].vertices
    return {
        float(x): (points[points[:, 0] == x, 1].min(), points[points[:, 0] == x, 1].max())
        for x in np.unique(points[:, 0])
    }


def test_the_band_is_the_interval_of_the_mean():
    best = np.array([[0.1, 0.5], [0.3, 0.6], [0.2, 0.9]])
    group = Group(best, np.zeros(best.shape))
    (axes,) = draw_comparison({"some": group}).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), best.mean(axis=0))
    edges = band(axes)
    for place, column in enumerate(best.T, start=1):
        wanted = ttest_1samp(column, 0).confidence_interval(0.95)
        np.testing.assert_allclose(edges[place], wanted)


def test_one_seed_has_no_band():
    group = Group(np.array([[0.1, 0.5]]), np.ones((1, 2)))
    by_trials, by_seconds = draw_comparison({"some": group}).axes
    assert band(by_trials) == {1.0: (0.1, 0.1), 2.0: (0.5, 0.5)}
    assert len(by_seconds.lines) == 1


def test_seconds_are_drawn_up_to_where_all_seeds_came():
    best = np.array([[0.1, 0.5], [0.3, 0.6]])
    group = Group(best, np.array([[10.0, 40.0], [30.0, 50.0]]))
    _, by_seconds = draw_comparison({"some": group}).axes
    line = by_seconds.lines[0]
    assert line.get_xdata()[-1] == 40
    # before 30 seconds one seed has nothing
    assert line.get_xdata()[0] >= 30
    assert len(line.get_ydata()) < 400
    assert np.isfinite(line.get_ydata()).all()


def test_an_error_is_drawn_as_such():
    group = Group(np.array([[-2.0, -1.0], [-2.0, -1.0]]), np.zeros((2, 2)))
    (axes,) = draw_comparison({"some": group}, "", ABSOLUTE_ERROR).axes
    assert axes.lines[0].get_ydata().tolist() == [2.0, 1.0]


def test_the_scale_begins_where_a_tenth_of_the_trials_has_led():
    best = np.array([[0.0, 10.0, 50.0, 60.0, 70.0, 80.0, 90.0, 90.0, 90.0, 90.0, 90.0]])
    other = best + 20
    groups = {name: Group(rows, np.zeros(rows.shape)) for name, rows in (("a", best), ("b", other))}
    (axes,) = draw_comparison(groups).axes
    bottom, top = axes.get_ylim()
    assert (bottom, top) == (10 - 0.05 * (110 - 10), 110 + 0.05 * (110 - 10))
    errors = {"a": Group(best - 100, np.zeros(best.shape))}
    (axes,) = draw_comparison(errors, "", ABSOLUTE_ERROR).axes
    # an error, from 100 down to 10
    assert axes.get_ylim() == (10 - 0.05 * (90 - 10), 90 + 0.05 * (90 - 10))


def test_many_names_stand_beside_the_plot():
    best = np.array([[1.0, 2.0], [1.0, 3.0]])
    groups = {name: Group(best, np.zeros((2, 2))) for name in "abcde"}
    figure = draw_comparison(groups)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"{n} (2 seeds)" for n in "abcde"]
    assert figure.axes[0].get_legend() is None
    del groups["e"]
    figure = draw_comparison(groups)
    assert not figure.legends
    assert figure.axes[0].get_legend() is not None
