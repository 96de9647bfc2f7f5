"""Draws which decisions mattered, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from autodl.drawing.run_curves import LINE, bare_axes

_BAR, _AROUND = 0.26, 1.2  # inches


def draw_importance(decisions: Sequence[tuple[str, float]], title: str = "") -> Figure:
    """A bar for each decision, in the order given, the first one on top.

    Args:
        decisions: names and importances, at least one.
    """
    figure = Figure(figsize=(6.8, _AROUND + _BAR * len(decisions)), layout="constrained")
    axes = figure.subplots()
    names, shares = zip(*decisions, strict=True)
    axes.barh(range(len(names)), shares, color=LINE)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel="importance (share of the variance of rewards)", xlim=(0, None))
    bare_axes(axes)
    if title:
        axes.set_title(title, fontsize=10)
    return figure
