"""Draws a cell with operations on its edges.

The figure belongs to no window, and everything is placed in inches, as in ``cells.py``.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from autodl.drawing.names import family, readable
from autodl.spaces.edge_cell.architecture import EDGES, NODES, EdgeCell

_APART, _MARGIN, _RADIUS = 2.2, 0.7, 0.26
_LEVEL = 1.9  # of the nodes, from below
_WIDTH, _HEIGHT = 2 * _MARGIN + (NODES - 1) * _APART, 4.4
_CUT = "none"
# How far the middle of an edge is above its nodes: longer ones lead around those between.
_RISES = {(0, 1): 0.0, (1, 2): 0.0, (2, 3): 0.0, (0, 2): 0.85, (1, 3): -0.85, (0, 3): 1.65}
_NAMES = {0: "input", NODES - 1: "output"}
_FONT = 8


def draw_edge_cell(architecture: EdgeCell, title: str = "") -> Figure:
    """Nodes from the input to the output, each the sum of what arrives, and operations between.

    An edge with ``none`` is left out.

    Args:
        title: above the cell; empty for none.
    """
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(0, _HEIGHT))
    axes.set_axis_off()
    if title:
        axes.text(_WIDTH / 2, _HEIGHT - 0.25, title, ha="center", va="center", parse_math=False)
    for (source, node), operation in zip(EDGES, architecture.operations, strict=True):
        if operation != _CUT:
            _edge(axes, source, node, operation)
    for node in range(NODES):
        words = _NAMES.get(node, str(node))
        axes.text(
            _MARGIN + node * _APART, _LEVEL, words, ha="center", va="center", fontsize=_FONT,
            bbox={"boxstyle": f"circle,pad={_RADIUS}", "fc": "#FFFFFF", "ec": "#444444"},
        )  # fmt: skip
    return figure


def _edge(axes: Axes, source: int, node: int, operation: str) -> None:
    """An arrow with the operation at its middle."""
    kind, rise = family(operation.removeprefix("nor_")), _RISES[source, node]
    ends = [(_MARGIN + end * _APART, _LEVEL) for end in (source, node)]
    bend = -2 * rise / (ends[1][0] - ends[0][0])  # a parabola's middle is half as far out
    axes.add_patch(
        FancyArrowPatch(
            *ends, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", color=kind.ink,
            mutation_scale=12, shrinkA=20, shrinkB=20,
        )
    )  # fmt: skip
    middle = (ends[0][0] + ends[1][0]) / 2, _LEVEL + rise
    axes.text(
        *middle, readable(operation.removeprefix("nor_")), ha="center", va="center",
        fontsize=_FONT, bbox={"boxstyle": "round", "fc": kind.fill, "ec": kind.ink},
    )  # fmt: skip
