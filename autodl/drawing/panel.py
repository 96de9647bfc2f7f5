"""The parts of a drawing of cells: a cell's panel, the legend, and text, in inches.

Text keeps its size however many nodes a cell has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextToPath

from autodl.drawing.layout import INPUT, Layout, Link, Stop, lay_out
from autodl.drawing.names import Family, families, family, readable
from autodl.spaces.cell.architecture import Cell

HEADING = 11.0  # points
_FONT = "DejaVu Sans"  # comes with Matplotlib, so widths are the same everywhere
_TEXT, _SMALL = 9.0, 6.5
_INK, _LINE, _PILL = "#333333", "#8A8F98", "#F4F5F7"
_TITLE = 0.42  # of a panel, above its cell
_BOX_HEIGHT, _PILL_WIDTH = 0.36, 0.90
_BESIDE_TEXT = 0.50  # for the node's number on the left and the same space on the right
_HEAD = 0.085  # an arrow's head


@dataclass(frozen=True, slots=True)
class Panel:
    """A cell that is ready to draw: its title, layout and each row's distance from the top."""

    role: str
    cell: Cell
    layout: Layout
    tops: tuple[float, ...]

    @property
    def width(self) -> float:
        return max(self.layout.width, text_width(self.role, HEADING, bold=True))

    @property
    def height(self) -> float:
        return _TITLE + self.tops[-1] + _BOX_HEIGHT


def make_panel(role: str, cell: Cell) -> Panel:
    """Lay out a cell under the title ``role``."""
    widest = max(text_width(readable(name), _TEXT) for name in cell.operations)
    layout = lay_out(cell, max(widest + _BESIDE_TEXT, _PILL_WIDTH))
    # A row needs more distance from the next where arrows go far sideways, or they lie flat.
    reach = [0.0] * len(layout.rows)
    for upper, lower in layout.links:
        sideways = abs(layout.centres[upper] - layout.centres[lower])
        reach[upper.layer] = max(reach[upper.layer], sideways)
    tops = [0.0]
    for sideways in reach[:-1]:
        tops.append(tops[-1] + _BOX_HEIGHT + min(max(0.34 + 0.09 * sideways, 0.40), 1.0))
    return Panel(role, cell, layout, tuple(tops))


def draw_panel(axes: Axes, panel: Panel, left: float, top: float, prefix: str = "") -> None:
    """Draw a title and its cell, ``panel.width`` wide and ``panel.height`` high.

    Args:
        prefix: of the boxes' names in the file, which are to differ in one picture.
    """
    draw_text(axes, left + panel.width / 2, top + 0.10, panel.role, HEADING, bold=True)
    _draw_cell(axes, panel, left + (panel.width - panel.layout.width) / 2, top + _TITLE, prefix)


def _draw_cell(axes: Axes, panel: Panel, left: float, top: float, prefix: str) -> None:
    layout = panel.layout
    prefix += panel.role.split()[0]
    entries = _entries(layout)
    for link in layout.links:
        upper, lower = link
        start = (left + layout.centres[upper], top + panel.tops[upper.layer] + _BOX_HEIGHT)
        end = (left + entries[link], top + panel.tops[lower.layer])
        _draw_link(axes, link, _ink(panel.cell, upper.vertex), start, end)
    for stop, centre in layout.centres.items():
        at = (left + centre, top + panel.tops[stop.layer])
        if stop.lane:
            through = [at, (at[0], at[1] + _BOX_HEIGHT)]
            colour = _ink(panel.cell, stop.vertex)
            _draw_line(axes, through, [Outline.MOVETO, Outline.LINETO], colour)
        elif 0 <= stop.vertex < panel.cell.nodes:
            name = panel.cell.operations[stop.vertex]
            look = family(name)
            gid = f"{prefix}.node{stop.vertex}.{name}"
            _draw_box(axes, at, layout.box_width, look.fill, look.ink, gid, rounding=0.07)
            number_x = at[0] - layout.box_width / 2 + 0.13
            middle = at[1] + _BOX_HEIGHT / 2
            draw_text(axes, number_x, middle, str(stop.vertex), _SMALL, colour=look.ink)
            draw_text(axes, at[0] + 0.04, middle, readable(name), _TEXT)
        else:
            word = "input" if stop.vertex == INPUT else "output"
            _draw_box(axes, at, _PILL_WIDTH, _PILL, _LINE, f"{prefix}.{word}", rounding=0.17)
            draw_text(axes, at[0], at[1] + _BOX_HEIGHT / 2, word, _TEXT)


def _entries(layout: Layout) -> dict[Link, float]:
    """Where each link ends across: arrows that enter one box are spread over its top."""
    arriving: dict[Stop, list[Link]] = defaultdict(list)
    for link in layout.links:
        arriving[link[1]].append(link)
    entries = {}
    for stop, links in arriving.items():
        pill = stop.vertex == layout.nodes
        room = 0.0 if stop.lane else 0.62 * (_PILL_WIDTH if pill else layout.box_width)
        step = min(0.17, room / max(len(links) - 1, 1))
        ordered = sorted(links, key=lambda link: (layout.centres[link[0]], link))
        for position, link in enumerate(ordered):
            shift = (position - (len(links) - 1) / 2) * step
            entries[link] = layout.centres[stop] + shift
    return entries


def _draw_link(
    axes: Axes,
    link: Link,
    colour: str,
    start: tuple[float, float],
    end: tuple[float, float],
) -> None:
    """A curve from row to row that starts and ends upright, with a head where it ends at a box."""
    x, y = end
    if not link[1].lane:
        head = [(x, y), (x - _HEAD * 0.48, y - _HEAD), (x + _HEAD * 0.48, y - _HEAD)]
        axes.add_patch(Polygon(head, closed=True, facecolor=colour, linewidth=0, zorder=2))
        y -= _HEAD * 0.8
    bend = (y - start[1]) * 0.55
    points = [start, (start[0], start[1] + bend), (x, y - bend), (x, y)]
    _draw_line(
        axes, points, [Outline.MOVETO, Outline.CURVE4, Outline.CURVE4, Outline.CURVE4], colour
    )


def _draw_line(
    axes: Axes, points: Sequence[tuple[float, float]], codes: Sequence[Any], colour: str
) -> None:
    axes.add_patch(
        PathPatch(
            Outline(points, codes),
            fill=False,
            edgecolor=colour,
            linewidth=1.1,
            alpha=0.85,
            capstyle="round",
            zorder=1,
        )
    )


def _ink(cell: Cell, vertex: int) -> str:
    """Colour of what leaves a vertex: a node's family, or grey for input and output."""
    return family(cell.operations[vertex]).ink if 0 <= vertex < cell.nodes else _LINE


def _draw_box(
    axes: Axes,
    at: tuple[float, float],
    width: float,
    fill: str,
    ink: str,
    gid: str,
    *,
    rounding: float,
) -> None:
    box = FancyBboxPatch(
        (at[0] - width / 2, at[1]),
        width,
        _BOX_HEIGHT,
        boxstyle=f"round,pad=0,rounding_size={rounding}",
        facecolor=fill,
        edgecolor=ink,
        linewidth=1.0,
        zorder=3,
    )
    box.set_gid(gid)  # the name as files have it, for those who style or search the SVG
    axes.add_patch(box)


def legend_families(panels: Sequence[Panel]) -> list[Family]:
    """The families of operations that appear, in the order of the legend."""
    present = {family(name) for panel in panels for name in panel.cell.operations}
    return [entry for entry in families() if entry in present]


def _legend_entry_width(entry: Family) -> float:
    return 0.42 + text_width(entry.label, _TEXT - 1)


def legend_width(entries: Sequence[Family]) -> float:
    """Of a legend in one row."""
    return sum(_legend_entry_width(entry) for entry in entries)


def legend_rows(entries: Sequence[Family], width: float) -> list[list[Family]]:
    """The legend broken into rows that fit the width, where a single entry does."""
    rows: list[list[Family]] = [[]]
    for entry in entries:
        if rows[-1] and legend_width([*rows[-1], entry]) > width:
            rows.append([])
        rows[-1].append(entry)
    return rows


def draw_legend(axes: Axes, rows: Sequence[Sequence[Family]], width: float, top: float) -> None:
    """Draw rows of 0.24 each, centred in the width."""
    for position, row in enumerate(rows):
        x = (width - legend_width(row)) / 2 + 0.08
        y = top + 0.24 * position
        for entry in row:
            swatch = FancyBboxPatch(
                (x, y - 0.06),
                0.16,
                0.12,
                boxstyle="round,pad=0,rounding_size=0.03",
                facecolor=entry.fill,
                edgecolor=entry.ink,
                linewidth=0.8,
            )
            axes.add_patch(swatch)
            draw_text(axes, x + 0.22, y, entry.label, _TEXT - 1, align="left", colour="#555555")
            x += _legend_entry_width(entry)


def draw_text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    points: float,
    *,
    bold: bool = False,
    align: str = "center",
    colour: str = _INK,
) -> None:
    """Text as it stands, centred across (or from the left) and on its middle line."""
    axes.text(
        x,
        y,
        text,
        fontsize=points,
        fontfamily=_FONT,
        fontweight="bold" if bold else "normal",
        color=colour,
        horizontalalignment=align,
        verticalalignment="center_baseline",
        parse_math=False,  # a dollar in a title is a dollar
        zorder=4,
    )


def text_width(text: str, points: float, *, bold: bool = False) -> float:
    """How many inches wide a text is."""
    font = FontProperties(family=_FONT, weight="bold" if bold else "normal", size=points)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72.0
