"""The plot of a study: curves of searches, or final values with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autodl.drawing.curves import draw_comparison
from autodl.drawing.run_curves import bare_axes, legend_above
from autodl.studies.outcome import Outcome, comparable
from autodl.studies.results import Results
from autodl.studies.statistics import Spread, mean_interval
from autodl.studies.table import column_of, expanded, group_searches


def draw_study(
    results: Results, title: str = "", *, y: str | None = None, x: str | None = None
) -> Figure:
    """Best so far of searches; of other jobs final values with intervals, beside their curves.

    Args:
        y: the column of final values; by default that of ``Study.plot``, else the first compared
            one that there is, and of searches none.
        x: a column that they are drawn against, in place of a place for each variation; by default
            that of ``Study.plot``.
    """
    y, x = y or results.plot.y, x or results.plot.x
    outcomes = comparable(results.outcomes)
    if y is None and x is None and all(outcome.trials is not None for outcome in outcomes):
        return draw_comparison(group_searches(outcomes), title, results.metric)
    columns = list(dict.fromkeys(name for outcome in outcomes for name in outcome.values))
    known = expanded(results.compared, columns)
    column = y or (known[-1] if known else columns[0])
    curves = sorted({name for outcome in outcomes for name in outcome.curves})
    figure = Figure(figsize=(10 if curves else 6.8, 4), layout="constrained")
    if curves and x is None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_curves(left, outcomes, curves[0])
    else:
        right = figure.subplots()
    if x is None:
        _draw_values(right, outcomes, column)
    else:
        _draw_against(right, outcomes, column, x, results.plot.lines)
    if title:
        figure.suptitle(title)
    return figure


def _names(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.variation for outcome in outcomes))


def _color(place: int) -> tuple[float, float, float, float]:
    red, green, blue, alpha = colormaps["tab10"](place % 10)
    return red, green, blue, alpha


def _draw_curves(axes: Axes, outcomes: Sequence[Outcome], name: str) -> None:
    """A line for each run, of its variation's colour."""
    for place, variation in enumerate(_names(outcomes)):
        own = [o for o in outcomes if o.variation == variation and name in o.curves]
        for number, outcome in enumerate(own):
            curve = outcome.curves[name]
            label = "_" if number else variation
            axes.plot(np.arange(1, len(curve) + 1), curve, color=_color(place), label=label)
    axes.set(xlabel="epoch", ylabel=name)
    axes.set_ylim(bottom=0)
    bare_axes(axes)
    legend_above(axes)


def _draw_values(axes: Axes, outcomes: Sequence[Outcome], column: str) -> None:
    """A dot for each seed, and the mean with its 95 % interval (Student's t)."""
    names = _names(outcomes)
    for place, variation in enumerate(names):
        values = np.array(list(column_of(outcomes, variation, column).values()))
        axes.plot([place] * len(values), values, "o", color=_color(place), alpha=0.4, markersize=5)
        mean = Spread.of(values).mean
        low, high = mean_interval(values)
        # rounding can put a mean of equal values outside of their interval
        reach = None if np.isnan(low) else np.maximum([[mean - low], [high - mean]], 0)
        axes.errorbar([place + 0.18], [mean], reach, fmt="_", color=_color(place), capsize=3)
    axes.set_xticks(range(len(names)), names, rotation=20 if len(names) > 4 else 0)
    axes.set(ylabel=f"{column} (dots: seeds; mean, 95 %)", xlim=(-0.5, len(names) - 0.5))
    bare_axes(axes)


def _draw_against(
    axes: Axes,
    outcomes: Sequence[Outcome],
    y: str,
    x: str,
    lines: Mapping[str, Sequence[str]],
) -> None:
    """The mean of each variation in both columns, with deviations; those of a line are joined."""
    means = []
    joined = {variation for members in lines.values() for variation in members}
    alone = [(name, [name]) for name in _names(outcomes) if name not in joined]
    # no mapping: a line may be called like a variation that is not in it
    for place, (label, members) in enumerate([*lines.items(), *alone]):
        spreads = [
            [Spread.of(list(column_of(outcomes, name, column).values())) for column in (x, y)]
            for name in members
            if name in _names(outcomes)
        ]
        across, up = ([pair[side].mean for pair in spreads] for side in (0, 1))
        means += across
        reach = [[np.nan_to_num(pair[side].sd) for pair in spreads] for side in (1, 0)]
        axes.errorbar(
            across, up, reach[0], reach[1],
            fmt="o-", color=_color(place), capsize=3, label=label,
        )  # fmt: skip
    if min(means, default=0) > 0 and max(means) > 10 * min(means):
        axes.set_xscale("log")
    axes.set(xlabel=x, ylabel=y)
    bare_axes(axes)
    legend_above(axes)
