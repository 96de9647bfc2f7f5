"""Draws the cells of architectures as a Matplotlib figure: one pair, or a gallery of many.

In a gallery networks that are drawn as boxes stand under the cells, one under the other.

Everything is placed in inches. The figure belongs to no window: only the object interface of
Matplotlib is used, never pyplot.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autodl.drawing.blocks import Box, boxes_size, place_boxes
from autodl.drawing.own import draw_own, kinds_drawn, own_boxes
from autodl.drawing.panel import (
    HEADING,
    Panel,
    draw_legend,
    draw_panel,
    draw_text,
    legend_families,
    legend_rows,
    legend_width,
    make_panel,
)
from autodl.errors import AutoDLError
from autodl.spaces.cell.architecture import CellPair

_MARGIN, _CELL_GAP, _BLOCK_GAP = 0.30, 0.70, 0.70
_LINE_HEIGHT, _CAPTION_GAP = 0.22, 0.14


@dataclass(frozen=True, slots=True)
class _Block:
    """One architecture of a picture: a caption above its panels, side by side."""

    title: str
    panels: tuple[Panel, ...]
    prefix: str

    @property
    def width(self) -> float:
        gaps = _CELL_GAP * (len(self.panels) - 1)
        return sum(panel.width for panel in self.panels) + gaps

    @property
    def height(self) -> float:
        return max(panel.height for panel in self.panels)

    def caption(self, width: float) -> list[str]:
        """The title's lines."""
        return _wrapped(self.title, width)


@dataclass(frozen=True, slots=True)
class _Strip:
    """One network of a picture that is drawn as boxes, under its caption."""

    title: str
    boxes: list[Box]

    @property
    def width(self) -> float:
        return boxes_size(self.boxes)[0]

    def height(self, width: float) -> float:
        """With its caption, in so much room."""
        return _LINE_HEIGHT * len(_wrapped(self.title, width)) + boxes_size(self.boxes)[1]

    def draw(self, axes: Axes, left: float, top: float, width: float) -> None:
        """Draw it in the middle of so much room."""
        for line in _wrapped(self.title, width):
            draw_text(axes, left + width / 2, top + 0.08, line, HEADING - 1)
            top += _LINE_HEIGHT
        place_boxes(axes, self.boxes, left + (width - self.width) / 2, top)


def _wrapped(title: str, width: float) -> list[str]:
    """A title's lines; what cannot be printed is a space."""
    shown = "".join(sign if sign.isprintable() else " " for sign in title)
    return textwrap.wrap(shown, max(20, int(width / 0.085)))


def draw_architecture(architecture: object, *, title: str = "") -> Figure:
    """Draw an architecture's cells side by side, or one if they are equal, or as its plugin says.

    Args:
        architecture: a ``CellPair``, or one of a kind that ``register_drawing`` was called for.
        title: a caption above the cells, such as the reward; long ones are wrapped.

    Raises:
        AutoDLError: another kind of architecture, or a plugin's drawing fails.
    """
    return draw_gallery([(title, architecture)])


def draw_gallery(entries: Sequence[tuple[str, object]]) -> Figure:
    """Draw several architectures, each under its title, row by row in about as many columns.

    Args:
        entries: titles and architectures, at least one: ``CellPair`` and those that are drawn as
            boxes; a single one may be of any kind that has a drawing.

    Raises:
        AutoDLError: another kind of architecture, or none at all.
    """
    if not entries:
        raise AutoDLError("nothing to draw: give at least one architecture")
    if len(entries) == 1:
        (title, architecture) = entries[0]
        if (own := draw_own(_kind(architecture), architecture, title)) is not None:
            return own
    blocks, strips = [], []
    for index, (title, architecture) in enumerate(entries):
        if (boxes := own_boxes(_kind(architecture), architecture)) is not None:
            strips.append(_Strip(title, boxes))
            continue
        prefix = f"{index}." if len(entries) > 1 else ""
        blocks.append(_Block(title, _panels(architecture), prefix))
    columns = math.ceil(math.sqrt(len(blocks)))
    rows = [blocks[start : start + columns] for start in range(0, len(blocks), max(columns, 1))]
    return _compose([*rows, *([strip] for strip in strips)])


def _panels(architecture: object) -> tuple[Panel, ...]:
    if not isinstance(architecture, CellPair):
        kind = _kind(architecture)
        if kind in kinds_drawn():
            raise AutoDLError(f"architectures of kind {kind!r} are drawn one by one; give one file")
        raise AutoDLError(
            f"cannot draw an architecture of kind {kind!r}; there are drawings for:"
            f" {', '.join(kinds_drawn())}. A plugin adds one by register_drawing"
        )
    normal, reduction = architecture.normal, architecture.reduction
    if normal == reduction:
        return (make_panel("normal and reduction cell", normal),)
    return make_panel("normal cell", normal), make_panel("reduction cell", reduction)


def _kind(architecture: object) -> str:
    to_json = getattr(architecture, "to_json", None)
    return str(to_json()["kind"]) if to_json else type(architecture).__name__


def _compose(gallery: Sequence[Sequence[_Block | _Strip]]) -> Figure:
    """Rows of cells side by side, and strips, each a row of its own."""
    rows = [[block for block in row if isinstance(block, _Block)] for row in gallery]
    rows = [row for row in rows if row]
    strips = [strip for row in gallery for strip in row if isinstance(strip, _Strip)]
    legend = legend_families([panel for row in rows for block in row for panel in block.panels])
    columns = [
        max(row[place].width for row in rows if place < len(row))
        for place in range(len(rows[0]) if rows else 0)
    ]
    gaps = _BLOCK_GAP * max(len(columns) - 1, 0)
    widest = max((strip.width for strip in strips), default=0.0)
    inner = max(sum(columns) + gaps, min(4.0, legend_width(legend)), widest)
    columns = [column + (inner - gaps - sum(columns)) / len(columns) for column in columns]
    captions = [
        max(len(block.caption(column)) for block, column in zip(row, columns, strict=False))
        for row in rows
    ]
    caption_heights = [_LINE_HEIGHT * n + (_CAPTION_GAP if n else 0.0) for n in captions]
    heights = [
        caption + max(block.height for block in row)
        for caption, row in zip(caption_heights, rows, strict=True)
    ]
    legend_lines = legend_rows(legend, inner)
    body = sum(heights) + sum(strip.height(inner) for strip in strips)
    body += _BLOCK_GAP * (len(rows) + len(strips) - 1)
    width, height = inner + 2 * _MARGIN, 2 * _MARGIN + body + 0.24 + 0.24 * len(legend_lines)
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0.0, width)
    axes.set_ylim(height, 0.0)  # downwards, as one reads
    axes.set_axis_off()

    top = _MARGIN
    for row, caption_height, row_height in zip(rows, caption_heights, heights, strict=True):
        left = _MARGIN
        for block, column in zip(row, columns, strict=False):
            _draw_block(axes, block, left, column, top, caption_height)
            left += column + _BLOCK_GAP
        top += row_height + _BLOCK_GAP
    for strip in strips:
        strip.draw(axes, _MARGIN, top, inner)
        top += strip.height(inner) + _BLOCK_GAP
    draw_legend(axes, legend_lines, width, top - _BLOCK_GAP + 0.34)
    return figure


def _draw_block(
    axes: Axes, block: _Block, left: float, column: float, top: float, caption_height: float
) -> None:
    """Draw a caption and the panels under it, in the middle of the column."""
    for position, line in enumerate(block.caption(column)):
        at = top + _LINE_HEIGHT * position + 0.08
        draw_text(axes, left + column / 2, at, line, HEADING - 1)
    left += (column - block.width) / 2
    for panel in block.panels:
        draw_panel(axes, panel, left, top + caption_height, block.prefix)
        left += panel.width + _CELL_GAP
