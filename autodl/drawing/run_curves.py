"""Plots of one run: rewards over trials, reward against cost, and time per trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autodl.search.pareto import front

Numbers = NDArray[np.float64]
_DOTS, _LINE = "#9DB7D5", "#1F5FA8"


def draw_rewards(ids: Sequence[int], rewards: Sequence[float]) -> Figure:
    """Every complete trial's reward by id, the best so far, and the mean of the last ten."""
    figure, axes = _figure()
    x, y = np.asarray(ids, float), np.asarray(rewards, float)
    axes.scatter(x, y, s=14, color=_DOTS, label="reward", zorder=2)
    axes.step(x, np.maximum.accumulate(y), where="post", color=_LINE, label="best so far")
    if len(y) >= 10:
        mean = np.convolve(y, np.ones(10) / 10, mode="valid")
        axes.plot(x[9:], mean, color="#D9822B", label="mean of 10 trials")
    axes.set(xlabel="trial", ylabel="reward")
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_trade_off(costs: Sequence[float], rewards: Sequence[float], cost_name: str) -> Figure:
    """Reward against a cost, and the trials that no other beats in both."""
    figure, axes = _figure()
    x, y = np.asarray(costs, float), np.asarray(rewards, float)
    best = front(np.stack([-x, y], axis=1))
    order = best[np.argsort(x[best], kind="stable")]
    axes.scatter(x, y, s=14, color=_DOTS, label="trial", zorder=2)
    axes.step(x[order], y[order], where="post", color=_LINE, zorder=1)
    axes.scatter(x[order], y[order], s=30, color=_LINE, label="Pareto front", zorder=3)
    if x.min() > 0 and x.max() > 20 * x.min():
        axes.set_xscale("log")
    axes.set(xlabel=cost_name, ylabel="reward")
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_seconds(ids: Sequence[int], seconds: Sequence[float], failed: Sequence[bool]) -> Figure:
    """Wall-clock seconds of every finished trial; failed ones stand out."""
    figure, axes = _figure()
    colours = np.where(np.asarray(failed, bool), "#C0392B", _DOTS)
    axes.bar(np.asarray(ids, float), np.asarray(seconds, float), width=0.9, color=colours)
    axes.set(xlabel="trial", ylabel="seconds" + (" (red: failed)" if any(failed) else ""))
    return figure


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
