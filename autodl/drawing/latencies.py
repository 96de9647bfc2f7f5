"""Predicted against measured latencies."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autodl.drawing.run_curves import DOTS, LINE


def draw_latencies(
    predicted: NDArray[np.float64], measured: NDArray[np.float64], title: str = ""
) -> Figure:
    """A dot for each network, on a line where predictions are right, and a band of 10 %.

    Both are milliseconds, float64 ``[networks]``.
    """
    figure = Figure(figsize=(5.2, 5), layout="constrained")
    axes = figure.subplots()
    ends = np.array([0.95, 1.05]) * [
        min(predicted.min(), measured.min()),
        max(predicted.max(), measured.max()),
    ]
    axes.fill_between(ends, 0.9 * ends, 1.1 * ends, color=LINE, alpha=0.12, linewidth=0)
    axes.plot(ends, ends, color=LINE, linewidth=1, label="measured = predicted, ± 10 %")
    axes.scatter(measured, predicted, s=22, color=DOTS, edgecolors=LINE, linewidths=0.6)
    axes.set(xlabel="measured, ms", ylabel="predicted, ms", xlim=ends, ylim=ends, aspect="equal")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False)
    if title:
        axes.set_title(title, fontsize="medium")
    return figure
