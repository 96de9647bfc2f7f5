"""Plots of quality against costs, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from autodl.drawing.names import readable_metric, readable_number
from autodl.drawing.run_curves import (
    DOTS,
    GREY,
    LINE,
    MOST_TEXTS,
    Dots,
    bare_axes,
    legend_above,
    scatter,
)
from autodl.objectives.dominance import front
from autodl.objectives.trade_off import TradeOff
from autodl.tasks.task import Metric

_COLUMNS = 2
_PANEL = (6.4, 4.2)  # inches
_LABEL = (0.075, 0.05)  # of a panel: the room that a trial's id takes


def draw_front(
    trade_off: TradeOff,
    limits: Mapping[str, float] = MappingProxyType({}),
    title: str = "",
    *,
    quality: Metric | None = None,
) -> Figure:
    """One panel for each cost, with all complete trials as dots and the front emphasised.

    The line is the best quality within a cost. With several costs, trials of the front that are
    below the line owe their place to another cost; they are rings. In a browser every dot of the
    front says what it is when the pointer rests on it.

    Args:
        trade_off: any number of trials, also none.
        limits: the highest value allowed of a cost, a line across.
        quality: what people are shown of the quality, such as the error whose negative it is; by
            default the quality by its name in records.
    """
    quality = quality or Metric(trade_off.quality, trade_off.quality)
    count = len(trade_off.costs)
    columns = min(count, _COLUMNS)
    rows = math.ceil(count / columns)
    size = (_PANEL[0] * columns, _PANEL[1] * rows + 0.3 * bool(title))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for column, (cost, axes) in enumerate(zip(trade_off.costs, panels, strict=False), 1):
        _draw_panel(axes, trade_off, column, quality)
        if cost in limits:
            axes.axvline(limits[cost], color=GREY, linestyle="--", linewidth=1, label="limit")
        axes.set(xlabel=readable_metric(cost), ylabel=quality.label)
        legend_above(axes)
    for axes in panels:  # the one that is left over
        axes.set_axis_off()
    if title:
        figure.suptitle(title, parse_math=False)
    return figure


def _draw_panel(axes: Axes, trade_off: TradeOff, column: int, quality: Metric) -> None:
    bare_axes(axes)
    ids, table, members = trade_off.ids, trade_off.values, np.array(trade_off.front, int)
    if not len(table):
        return
    x, y = table[:, column], table[:, 0]
    on_line = members[front(np.stack([y[members], -x[members]], axis=1))]
    on_line = on_line[np.lexsort((y[on_line], x[on_line]))]
    if not quality.higher_is_better:
        y = table[:, 0] = -y
    others = np.setdiff1d(members, on_line)
    rest = np.setdiff1d(np.arange(len(table)), members)

    def text(place: int) -> str:
        values = zip((quality.label, *trade_off.costs), table[place], strict=True)
        shown = (f"{readable_metric(name)} {readable_number(value)}" for name, value in values)
        return f"trial {ids[place]}: {', '.join(shown)}"

    def dots(places: NDArray[np.int64]) -> Dots:
        few = places[:MOST_TEXTS]  # of more dots, none has a text
        return Dots(x[places], y[places], [text(place) for place in few])

    scatter(axes, dots(rest), label="trial", color=DOTS, linewidths=0)
    axes.step(x[on_line], y[on_line], where="post", color=LINE, zorder=3)
    scatter(axes, dots(on_line), size=32, label="Pareto front", color=LINE, zorder=5)
    ring = {"facecolors": "white", "edgecolors": LINE, "linewidths": 1.2, "zorder": 4}
    scatter(axes, dots(others), size=26, label="also on it, by another cost", **ring)
    _scale(axes, x)
    axes.margins(0.06, 0.08)
    axes.autoscale_view()  # else it would be done after the labels

    for places, shift, side in ((on_line[::-1], (-4, 4), "right"), (others, (5, -9), "left")):
        names = [(str(ids[place]), x[place], y[place]) for place in places]
        _label(axes, names, shift, side)


def _scale(axes: Axes, costs: NDArray[np.float64]) -> None:
    """Logarithmic over more than a factor of 20, and thousands as k and M."""
    if costs.min() > 0 and costs.max() > 20 * costs.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if costs.max() >= 10_000:
        axes.xaxis.set_major_formatter(EngFormatter())


def _label(
    axes: Axes, names: Sequence[tuple[str, float, float]], shift: tuple[int, int], side: str
) -> None:
    """Write names beside their dots (x, y), where they do not lie on each other."""
    to_panel = axes.transData + axes.transAxes.inverted()
    taken: list[NDArray[np.float64]] = []
    for name, x, y in names:
        spot = to_panel.transform((x, y))
        if any((np.abs(spot - other) < _LABEL).all() for other in taken):
            continue
        taken.append(spot)
        axes.annotate(
            name,
            (x, y),
            xytext=shift,
            textcoords="offset points",
            ha=side,
            fontsize=8,
            color=LINE,
            zorder=6,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
