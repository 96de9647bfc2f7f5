"""Plots of one run: rewards over trials, and time per trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Numbers: TypeAlias = Sequence[float] | NDArray[np.float64]
DOTS, LINE, GREY, RED, ORANGE = "#82A6D0", "#1F5FA8", "#A3A9B2", "#C0392B", "#D9822B"
MOST_TEXTS, _MOST_DOTS = 500, 3000  # more have no texts, or are pixels: files stay small


@dataclass(frozen=True, slots=True)
class Dots:
    """Trials of one kind: where their dots are, and what a browser says at each."""

    x: Numbers = ()
    y: Numbers = ()
    texts: Sequence[str] = ()


def draw_rewards(
    complete: Dots,
    part: Dots,
    failed: Sequence[int],
    *,
    label: str = "reward",
    higher_is_better: bool = True,
) -> Figure:
    """Rewards by id, the best so far, and the mean of the last ten (or 2%).

    Best and mean are of complete trials only: the reward of one that was trained in part is lower
    than it would have become. Failed trials, which have none, are marked at the bottom.

    Args:
        label: what the values are called, where they are no rewards.
        higher_is_better: of errors, the lowest so far is the best.
    """
    figure, axes = _figure()
    scatter(axes, part, label="trained in part", facecolors="none", edgecolors=GREY)
    scatter(axes, complete, label=label, color=DOTS, linewidths=0)
    x, y = np.asarray(complete.x, float), np.asarray(complete.y, float)
    if len(y):
        best = (np.maximum if higher_is_better else np.minimum).accumulate(y)
        axes.step(x, best, where="post", color=LINE, label="best so far")
    window = max(10, len(y) // 50)
    if len(y) >= window:
        mean = np.convolve(y, np.ones(window) / window, mode="valid")
        smooth = f"mean of {window} trials"
        axes.plot(x[window - 1 :], mean, color=ORANGE, linewidth=1.2, label=smooth)
    if failed:
        bottom, heights = axes.get_xaxis_transform(), [0.015] * len(failed)
        axes.plot(failed, heights, "x", transform=bottom, color=RED, markersize=4, label="failed")
    axes.set(xlabel="trial", ylabel=label)
    legend_above(axes)
    return figure


def draw_seconds(complete: Dots, part: Dots, failed: Dots) -> Figure:
    """Wall-clock seconds of trials, by id, and the median of those complete."""
    figure, axes = _figure()
    scatter(axes, part, label="trained in part", facecolors="none", edgecolors=GREY)
    scatter(axes, complete, label="complete", color=DOTS, linewidths=0)
    scatter(axes, failed, label="failed", color=RED, marker="x", linewidths=1)
    if len(complete.y):
        median = float(np.median(complete.y))
        axes.axhline(median, color=LINE, linewidth=1, label=f"median, {median:.3g} s")
    axes.set(xlabel="trial", ylabel="seconds")
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return figure


def scatter(axes: Axes, dots: Dots, *, size: float | None = None, **look: Any) -> None:
    """Draw dots, the smaller the more there are; ``look`` is what Matplotlib's scatter takes."""
    count = len(dots.x)
    if not count:
        return
    size = size or (14 if count <= MOST_TEXTS else 7)
    look = {"zorder": 2, "rasterized": count > _MOST_DOTS, **look}
    drawn = axes.scatter(dots.x, dots.y, s=size, **look)
    if count <= MOST_TEXTS:
        drawn.set_urls(list(dots.texts))


def bare_axes(axes: Axes) -> None:
    """A faint grid, and no frame at the top and on the right."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def legend_above(axes: Axes) -> None:
    """Above the plot, where it covers nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, borderaxespad=0.2,
            handlelength=1.2, handletextpad=0.5, columnspacing=1.0, fontsize=9,
        )  # fmt: skip


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    bare_axes(axes)
    return figure, axes
