"""Draws a network as boxes in the order of computation, row by row.

The figure belongs to no window, and everything is placed in inches, as in ``cells.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from autodl.drawing.names import Family

_ROW = 6  # boxes beside each other
_WIDTH, _HEIGHT, _GAP, _MARGIN = 1.5, 0.82, 0.36, 0.3
_ABOVE = 0.34  # room for what leads around a box
_PLAIN = Family("", "#FFFFFF", "#444444")
_FONT = 8


@dataclass(frozen=True, slots=True)
class Box:
    """What stands in a box, its colour, and whether what enters it is added behind it."""

    words: str
    family: Family = _PLAIN
    skip: bool = False


def draw_boxes(boxes: Sequence[Box], title: str = "") -> Figure:
    """A figure of boxes, at least one, with an arrow from each to the next.

    Args:
        title: above the boxes; empty for none.
    """
    rows, columns = -(-len(boxes) // _ROW), min(len(boxes), _ROW)
    width = columns * (_WIDTH + _GAP) - _GAP + 2 * _MARGIN
    head = 0.3 * bool(title)
    height = rows * (_HEIGHT + _ABOVE + _GAP) - _GAP + 2 * _MARGIN + head
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    if title:
        axes.text(width / 2, _MARGIN, title, ha="center", va="center", parse_math=False)
    for number, box in enumerate(boxes):
        left, top = _place(number, head)
        _box(axes, left, top, box.words, box.family)
        if number:
            _arrow(axes, _place(number - 1, head), (left, top))
        if box.skip:
            _around(axes, left, top)
    return figure


def _place(number: int, head: float) -> tuple[float, float]:
    """Left and top of a box."""
    row, column = divmod(number, _ROW)
    left = _MARGIN + column * (_WIDTH + _GAP)
    return left, _MARGIN + head + _ABOVE + row * (_HEIGHT + _ABOVE + _GAP)


def _box(axes: Axes, left: float, top: float, words: str, kind: Family) -> None:
    shape = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch((left, top), _WIDTH, _HEIGHT, boxstyle=shape, fc=kind.fill, ec=kind.ink)
    )
    middle = left + _WIDTH / 2, top + _HEIGHT / 2
    axes.text(*middle, words, ha="center", va="center", fontsize=_FONT, parse_math=False)


def _arrow(axes: Axes, before: tuple[float, float], to: tuple[float, float]) -> None:
    """From the right side of a box to the left one of the next, which may begin a row."""
    (left, top), (x, y) = before, to
    start, end = (left + _WIDTH, top + _HEIGHT / 2), (x, y + _HEIGHT / 2)
    style = {"arrowstyle": "-|>", "color": _PLAIN.ink, "shrinkA": 0, "shrinkB": 0}
    if y == top:
        axes.annotate("", end, start, arrowprops=style)
        return
    below, aside = top + _HEIGHT + _GAP / 2, x - _GAP / 2
    turn = start[0] + _GAP / 2
    corners = (start, (turn, start[1]), (turn, below), (aside, below))
    axes.plot(*zip(*corners, (aside, end[1]), strict=True), color=_PLAIN.ink, linewidth=1)
    axes.annotate("", end, (aside, end[1]), arrowprops=style)


def _around(axes: Axes, left: float, top: float) -> None:
    """What enters a block is added behind it."""
    ends, middle, over = (left - _GAP / 2, left + _WIDTH + _GAP / 2), top + _HEIGHT / 2, top - 0.16
    corners = ((ends[0], middle), (ends[0], over), (ends[1], over), (ends[1], middle))
    axes.plot(*zip(*corners, strict=True), color=_PLAIN.ink, linewidth=1)
