"""Curves of searches: the best so far against trials and against seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autodl.tasks.task import REWARD, Metric

Curves = NDArray[np.float64]
_LEAST_SECONDS = 1.0
_ROOM = 0.05
_INSIDE = 4  # groups that are named within the plot; the names of more stand beside it


@dataclass(frozen=True, slots=True)
class Group:
    """Searches of one strategy, one row per seed: best reward so far and seconds spent so far.

    Both are float64 ``[seeds, trials]``; NaN before the first success.
    """

    best: Curves
    seconds: Curves


def draw_comparison(
    groups: Mapping[str, Group], title: str = "", metric: Metric = REWARD
) -> Figure:
    """Mean over seeds of the best so far, with a band: its 95 % interval (Student's t).

    On the left against trials; on the right against seconds, each seed's curve being held between
    its trials, up to the time that all seeds reached. Where evaluations took less than a second in
    all, as when rewards are looked up, there is nothing on the right. One seed has no band. What
    was found in the first tenth of the trials, by chance mostly, may lie outside, and so may parts
    of bands.

    Args:
        metric: what is drawn of a reward; of the negative of an error, the error.
    """
    sign, corner = metric.value(1), "lower right" if metric.higher_is_better else "upper right"
    timed = max(float(group.seconds[:, -1].max()) for group in groups.values()) >= _LEAST_SECONDS
    width = (11 if timed else 6.8) + (0 if len(groups) <= _INSIDE else 2.4)
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    by_trials, *by_seconds = figure.subplots(1, 1 + timed, sharey=True, squeeze=False)[0]
    for name, group in groups.items():
        trials = np.arange(1, group.best.shape[1] + 1)
        label = f"{name} ({len(group.best)} seeds)"
        _band(by_trials, trials, sign * group.best, label)
        for axes in by_seconds:
            _band(axes, *_by_seconds(group, sign), label)
    by_trials.set(xlabel="trials", ylabel=f"best {metric.label} so far (mean, 95 %)")
    if len(groups) <= _INSIDE:
        by_trials.legend(loc=corner, frameon=False)
    else:
        figure.legend(
            *by_trials.get_legend_handles_labels(), loc="outside right upper", frameon=False
        )
    _keep_to_means(by_trials, groups.values(), sign)
    for axes in by_seconds:
        axes.set(xlabel="seconds of evaluation, in sum")
    for axes in (by_trials, *by_seconds):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if title:
        figure.suptitle(title)
    return figure


def _keep_to_means(axes: Axes, groups: Iterable[Group], sign: float) -> None:
    """Scale from the worst mean after a tenth of the trials to the best, with a little room."""
    rows = [group.best[:, [group.best.shape[1] // 10, -1]].mean(axis=0) for group in groups]
    worst, best = min(row[0] for row in rows), max(row[1] for row in rows)
    if not np.isfinite(worst) or not worst < best:
        return
    room = _ROOM * (best - worst)
    axes.set_ylim(*sorted((sign * (worst - room), sign * (best + room))))


def _band(axes: Axes, x: NDArray[np.float64], rows: Curves, label: str) -> None:
    known = ~np.isnan(rows).any(axis=0)
    mean, reach = rows[:, known].mean(axis=0), _half_interval(rows[:, known])
    (line,) = axes.plot(x[known], mean, label=label)
    axes.fill_between(
        x[known], mean - reach, mean + reach, color=line.get_color(), alpha=0.18, linewidth=0
    )


def _half_interval(rows: Curves) -> NDArray[np.float64]:
    """How far the mean of each column is to be trusted, with 95 % confidence; 0 for one row."""
    count = len(rows)
    if count < 2:
        return np.zeros(rows.shape[1])
    from scipy.stats import t  # takes a second to import

    return np.asarray(t.ppf(0.975, count - 1) * rows.std(axis=0, ddof=1) / np.sqrt(count))


def _by_seconds(group: Group, sign: float) -> tuple[NDArray[np.float64], Curves]:
    """Times up to that which all seeds reached, and what each seed had then."""
    times = np.linspace(0, group.seconds[:, -1].min(), 400)
    rows = zip(group.seconds, group.best, strict=True)
    return times, sign * np.stack([_held(row, best, times) for row, best in rows])


def _held(seconds: NDArray[np.float64], best: NDArray[np.float64], times: Curves) -> Curves:
    """The best at each time: that of the last trial finished by then, NaN before the first."""
    position = np.searchsorted(seconds, times, side="right")
    held: Curves = np.concatenate([[np.nan], best])[position]
    return held
