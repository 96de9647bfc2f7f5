"""Accuracy of compressed networks against the seconds that finding their bits took."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter
from numpy.typing import NDArray

from autodl.drawing.run_curves import GREY, LINE, ORANGE, bare_axes, legend_above
from autodl.studies.bits.table import BitStudies


def draw_bits(studies: BitStudies, title: str = "") -> Figure:
    """Accuracy after fine-tuning: bits by inference, a search given more and more seconds, uniform.

    Means over the studies, bars of one standard deviation (n - 1). The search and the inference
    have equal average bits; what was not searched for (uniform bits) is a line across.
    """
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axes = figure.subplots()
    bare_axes(axes)
    accuracy, seconds = 100 * studies.values["accuracy_after"], studies.values["search_seconds"]
    searches = [n for n, name in enumerate(studies.methods) if name.startswith("search")]
    inferred = [n for n, name in enumerate(studies.methods) if name == "BayesianBits"]
    for chosen, color, marker, label in (
        (inferred, ORANGE, "D", "one training (BayesianBits)"),
        (searches, LINE, "o-", "DDPG search, same average bits"),
    ):
        if chosen:
            axes.errorbar(
                seconds[:, chosen].mean(axis=0),
                accuracy[:, chosen].mean(axis=0),
                _spread(accuracy[:, chosen]),
                fmt=marker,
                color=color,
                capsize=3,
                label=label,
            )
    for n, name in enumerate(studies.methods):
        if n not in searches and n not in inferred:
            height = float(accuracy[:, n].mean())
            axes.axhline(height, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
            axes.annotate(
                name, (1, height), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize=8, color="0.4",
            )  # fmt: skip
    before = 100 * float(studies.values["accuracy_before"].mean())
    axes.axhline(before, color="0.2", linewidth=0.8, label="before compression")
    if searches or inferred:
        axes.set_xscale("log")
        for axis_format in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            axis_format(FormatStrFormatter("%g"))
    axes.set(xlabel="seconds of finding the bits", ylabel="held-out accuracy after fine-tuning, %")
    legend_above(axes)
    if title:
        figure.suptitle(title)
    return figure


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread: NDArray[np.float64] = (
        values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
    )
    return spread
