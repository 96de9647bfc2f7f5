"""The plot of a study: curves of searches, or final values with intervals."""

from __future__ import annotations

from collections.abc import Sequence

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
        y: the column of final values; by default the first compared one that there is, and of
            searches none.
        x: a column that they are drawn against, in place of a place for each variation.
    """
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
        _draw_against(right, outcomes, column, x)
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
        reach = None if np.isnan(low) else [[mean - low], [high - mean]]
        axes.errorbar([place + 0.18], [mean], reach, fmt="_", color=_color(place), capsize=3)
    axes.set_xticks(range(len(names)), names, rotation=20 if len(names) > 4 else 0)
    axes.set(ylabel=f"{column} (dots: seeds; mean, 95 %)", xlim=(-0.5, len(names) - 0.5))
    bare_axes(axes)


def _draw_against(axes: Axes, outcomes: Sequence[Outcome], y: str, x: str) -> None:
    """The mean of each variation in both columns, with deviations."""
    means = []
    for place, variation in enumerate(_names(outcomes)):
        across, up = (Spread.of(list(column_of(outcomes, variation, c).values())) for c in (x, y))
        means.append(across.mean)
        spread = [None if np.isnan(one.sd) else one.sd for one in (up, across)]
        axes.errorbar(
            [across.mean], [up.mean], spread[0], spread[1],
            fmt="o", color=_color(place), capsize=3, label=variation,
        )  # fmt: skip
    if min(means, default=0) > 0 and max(means) > 10 * min(means):
        axes.set_xscale("log")
    axes.set(xlabel=x, ylabel=y)
    bare_axes(axes)
    legend_above(axes)
