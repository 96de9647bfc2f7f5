"""The plot of predicted against measured latencies."""

from __future__ import annotations

import numpy as np

from autodl.drawing.figures import to_svg
from autodl.drawing.latencies import draw_latencies


def test_a_dot_for_each_network_inside_the_axes() -> None:
    predicted, measured = np.array([1.0, 2.0, 9.0]), np.array([1.5, 2.0, 4.0])
    figure = draw_latencies(predicted, measured, "search/cell-demo.yaml")
    (axes,) = figure.axes
    (dots,) = [c for c in axes.collections if len(c.get_offsets()) == 3]
    np.testing.assert_array_equal(dots.get_offsets(), np.column_stack([measured, predicted]))
    assert axes.get_xlim() == axes.get_ylim()
    low, high = axes.get_xlim()
    assert low < 1.0
    assert high > 9.0
    assert "search/cell-demo.yaml" in to_svg(figure)
