"""The plot of accuracy against seconds of finding bits."""

import numpy as np
import pytest

from autodl.drawing.figures import to_svg
from autodl.studies.bits.plot import draw_bits
from autodl.studies.bits.table import BitStudies

METHODS = ("BayesianBits", "uniform 2", "uniform 3", "search 1x", "search 10x")


@pytest.mark.parametrize("count", [1, 3])
def test_points_are_the_means(count):
    rng = np.random.default_rng(0)
    names = (
        *("average_bits", "search_seconds", "fine_tuning_seconds"),
        *("accuracy_before", "accuracy_rounded", "accuracy_after"),
    )
    values = {name: rng.uniform(0.2, 0.8, (count, 5)) for name in names}
    values["search_seconds"] = np.tile([100.0, 0.0, 0.0, 100.0, 1000.0], (count, 1))
    figure = draw_bits(BitStudies(tuple(range(count)), METHODS, values), "Title")
    (axes,) = figure.axes
    inferred, searches = (container[0] for container in axes.containers)
    assert inferred.get_xdata() == pytest.approx([100])
    mean = 100 * values["accuracy_after"].mean(axis=0)
    assert inferred.get_ydata() == pytest.approx(mean[:1])
    assert searches.get_xdata() == pytest.approx([100, 1000])
    assert searches.get_ydata() == pytest.approx(mean[3:])
    text = to_svg(figure)
    assert all(name in text for name in ("uniform 2", "uniform 3", "Title"))
