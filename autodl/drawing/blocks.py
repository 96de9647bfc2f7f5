"""Draws a network as boxes in the order of computation, row by row, alone or in a gallery.

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
    width, height = (size + 2 * _MARGIN for size in boxes_size(boxes))
    head = 0.3 * bool(title)
    height += head
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    if title:
        axes.text(width / 2, _MARGIN, title, ha="center", va="center", parse_math=False)
    place_boxes(axes, boxes, _MARGIN, _MARGIN + head)
    return figure


def boxes_size(boxes: Sequence[Box]) -> tuple[float, float]:
    """Width and height that boxes take, in inches."""
    rows, columns = -(-len(boxes) // _ROW), min(len(boxes), _ROW)
    return columns * (_WIDTH + _GAP) - _GAP, rows * (_HEIGHT + _ABOVE + _GAP) - _GAP


def place_boxes(axes: Axes, boxes: Sequence[Box], left: float, top: float) -> None:
    """Draw boxes, the first one's row at the left and top given, in axes in inches downwards."""

    def corner(number: int) -> tuple[float, float]:
        row, column = divmod(number, _ROW)
        across, down = column * (_WIDTH + _GAP), row * (_HEIGHT + _ABOVE + _GAP)
        return left + across, top + _ABOVE + down

    for number, box in enumerate(boxes):
        x, y = corner(number)
        _box(axes, x, y, box.words, box.family)
        if number:
            _arrow(axes, corner(number - 1), (x, y))
        if box.skip:
            _around(axes, x, y)


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
