"""What became of the modes of width search: Phi by epoch, and accuracy at equal cost."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from autodl.drawing.run_curves import DOTS, GREY, LINE, ORANGE, RED, bare_axes, legend_above
from autodl.studies.widths.table import WidthStudy

_COLORS = {"transition": LINE, "ordinal": ORANGE, "independent": RED, "random": GREY}


def draw_modes(study: WidthStudy) -> Figure:
    """On the left Phi of every search, in percent of its first; on the right test accuracies.

    There each seed is a dot, and the mean of a mode's seeds a short line.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    sharing, tested = figure.subplots(1, 2, width_ratios=(3, 2))
    named: set[str] = set()
    for run in study.searches:
        if run.phi:
            label = "_" if run.mode in named else run.mode
            epochs = np.arange(1, len(run.phi) + 1)
            sharing.plot(epochs, 100 * np.array(run.phi), color=_COLORS[run.mode], label=label)
            named.add(run.mode)
    sharing.set(xlabel="epoch", ylabel="Phi, % of the first epoch's")
    sharing.set_ylim(bottom=0)
    legend_above(sharing)
    modes = [mode for mode in _COLORS if any(run.mode == mode for run in study.searches)]
    for place, mode in enumerate(modes):
        values = [100 * run.tested for run in study.searches if run.mode == mode and run.tested]
        tested.plot([place] * len(values), values, "o", color=DOTS, markersize=5)
        if values:
            tested.hlines(np.mean(values), place - 0.2, place + 0.2, color=_COLORS[mode])
    tested.set_xticks(range(len(modes)), modes)
    tested.set(ylabel="test accuracy, retrained, %", xlim=(-0.5, len(modes) - 0.5))
    for axes in (sharing, tested):
        bare_axes(axes)
    return figure
