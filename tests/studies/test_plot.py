"""The plot of a study: what is drawn is what was found."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.drawing.figures import to_svg
from autodl.studies.jobs import JOBS
from autodl.studies.options import PlotOptions
from autodl.studies.outcome import Outcome, Trials
from autodl.studies.plot import draw_study
from autodl.studies.results import Results
from autodl.studies.statistics import mean_interval

METHODS = ("bayesian", "uniform-2", "search-10x")
SECONDS = {"bayesian": 100.0, "uniform-2": 1.0, "search-10x": 1000.0}


def compressions(seeds):
    rng = np.random.default_rng(0)
    return tuple(
        Outcome(
            name,
            seed,
            {"accuracy_after": rng.uniform(0.2, 0.8), "search_seconds": SECONDS[name]},
        )
        for seed in range(seeds)
        for name in METHODS
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_points_against_a_column_are_the_means(seeds):
    outcomes = compressions(seeds)
    figure = draw_study(Results(JOBS["compress"], outcomes), "Title", x="search_seconds")
    (axes,) = figure.axes
    for name, container in zip(METHODS, axes.containers, strict=True):
        mean = np.mean([o.values["accuracy_after"] for o in outcomes if o.variation == name])
        assert container[0].get_xdata() == pytest.approx([SECONDS[name]])
        assert container[0].get_ydata() == pytest.approx([mean])
    assert axes.get_xscale() == "log"
    text = to_svg(figure)
    assert all(word in text for word in (*METHODS, "Title"))


def test_variations_of_a_line_are_joined():
    plot = PlotOptions(x="search_seconds", y="accuracy_after", lines={"searched": METHODS[::2]})
    outcomes = compressions(2)
    (axes,) = draw_study(Results(JOBS["compress"], outcomes, plot=plot)).axes
    assert [container.get_label() for container in axes.containers] == ["searched", "uniform-2"]
    assert axes.containers[0][0].get_xdata() == pytest.approx([100.0, 1000.0])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("search_seconds", "accuracy_after")
    (axes,) = draw_study(Results(JOBS["compress"], outcomes, plot=plot), y="search_seconds").axes
    assert axes.get_ylabel() == "search_seconds"


def test_a_line_that_is_called_like_another_variation_is_drawn_beside_it():
    plot = PlotOptions(x="search_seconds", lines={"uniform-2": METHODS[::2]})
    (axes,) = draw_study(Results(JOBS["compress"], compressions(2), plot=plot)).axes
    assert [container.get_label() for container in axes.containers] == ["uniform-2", "uniform-2"]
    assert axes.containers[0][0].get_xdata() == pytest.approx([100.0, 1000.0])
    assert axes.containers[1][0].get_xdata() == pytest.approx([1.0])


def test_final_values_have_dots_for_seeds_and_an_interval():
    outcomes = compressions(3)
    (axes,) = draw_study(Results(JOBS["compress"], outcomes)).axes
    for place, name in enumerate(METHODS):
        own = [o.values["accuracy_after"] for o in outcomes if o.variation == name]
        np.testing.assert_allclose(axes.lines[0 + _at(axes, place)].get_ydata(), own)
        bars = axes.containers[place][2][0].get_segments()[0][:, 1]
        np.testing.assert_allclose(bars, mean_interval(own))


def test_seeds_that_are_equal_have_an_interval_of_no_length():
    outcomes = [Outcome("bayesian", seed, {"accuracy_after": 0.1}) for seed in range(3)]
    (axes,) = draw_study(Results(JOBS["compress"], tuple(outcomes))).axes
    bar = axes.containers[0][2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(bar, 0.1, rtol=1e-15)  # the mean of three is rounded


def _at(axes, place):
    """Index of the dots of a variation among the lines: an interval brings lines of its own."""
    dots = [n for n, line in enumerate(axes.lines) if line.get_marker() == "o"]
    return dots[place]


def test_curves_stand_beside_final_values():
    outcomes = tuple(
        Outcome(
            "transition", seed, {"test_accuracy": 0.5 + 0.1 * seed}, curves={"phi_share": curve}
        )
        for seed, curve in enumerate([(1.0, 0.5, 0.1), (1.0, 0.6, 0.2)])
    )
    left, right = draw_study(Results(JOBS["supernet"], outcomes)).axes
    curves = [line.get_ydata() for line in left.lines]
    np.testing.assert_allclose(curves, [[1.0, 0.5, 0.1], [1.0, 0.6, 0.2]])
    assert list(right.lines[0].get_ydata()) == [0.5, 0.6]


def test_searches_are_drawn_as_best_so_far():
    outcomes = tuple(
        Outcome(name, seed, {}, Trials((0.1, 0.3, 0.2), (1.0, 1.0, 1.0)))
        for name in "ab"
        for seed in (0, 1)
    )
    by_trials, _ = draw_study(Results(JOBS["search"], outcomes)).axes
    np.testing.assert_allclose(by_trials.lines[0].get_ydata(), [0.1, 0.3, 0.3])
