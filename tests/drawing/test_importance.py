"""Bars of what decisions matter."""

from __future__ import annotations

from autodl.drawing.importance import draw_importance


def test_bars_are_the_decisions_from_the_top():
    (axes,) = draw_importance([("node $1$", 0.75), ("edge 0-1", 0.25)], "after 40 trials").axes
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["node $1$", "edge 0-1"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # downwards
    axes.figure.canvas.draw()  # the signs are no formula
