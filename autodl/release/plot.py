"""The plot of released networks: what they are worth against what their training cost."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autodl.drawing.run_curves import bare_axes, legend_above
from autodl.errors import StoreError
from autodl.release.metrics import TestScores
from autodl.release.overview import ensemble_hours, read_ensemble, released

# label, marker, colour
_FOUND = ("found by a search", "o", "tab:blue")
_BY_HAND = ("hand-made", "s", "tab:orange")
_TOGETHER = ("the ensemble, with the hours of its members", "D", "tab:green")


def draw_released(models: Path | None = None) -> Figure:
    """Test accuracy with its 95 % interval against core-hours, a dot for each network.

    Networks that were never tested are left out.

    Raises:
        CheckpointError: the metrics of one of them are damaged.
        StoreError: none was tested.
    """
    networks = released(models)
    groups: dict[tuple[str, str, str], list[tuple[str, float, TestScores]]] = {}
    for name, metrics in networks.items():
        if metrics.test is not None:
            kind = _BY_HAND if metrics.training.by_hand else _FOUND
            groups.setdefault(kind, []).append((name, metrics.training.core_hours, metrics.test))
    ensemble = read_ensemble(models)
    if ensemble is not None and ensemble.test is not None:
        together = ensemble_hours(ensemble, networks)
        if together is not None:
            groups[_TOGETHER] = [("ensemble", together, ensemble.test)]
    if not groups:
        raise StoreError("no released network was tested, so there is no accuracy to draw")
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    for kind, points in groups.items():
        _draw_group(axes, kind, points)
    axes.set(xlabel="core-hours of training", ylabel="test accuracy, % (95 % interval)")
    axes.set_xlim(0, 1.15 * max(hours for points in groups.values() for _, hours, _ in points))
    bare_axes(axes)
    legend_above(axes)
    return figure


def _draw_group(
    axes: Axes, kind: tuple[str, str, str], points: list[tuple[str, float, TestScores]]
) -> None:
    label, marker, colour = kind
    hours = [spent for _, spent, _ in points]
    middle = [100 * scores.accuracy for _, _, scores in points]
    reach = [
        [100 * (scores.accuracy - scores.interval[0]) for _, _, scores in points],
        [100 * (scores.interval[1] - scores.accuracy) for _, _, scores in points],
    ]
    axes.errorbar(
        hours, middle, reach, fmt=marker, color=colour, capsize=2, elinewidth=0.8, label=label
    )
    for (name, spent, _), accuracy in zip(points, middle, strict=True):
        axes.annotate(
            name, (spent, accuracy), (5, 3), textcoords="offset points", fontsize=7, color="#555555"
        )
