"""Figures as files, as text and as pixels; equal figures always give equal bytes."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autodl.errors import AutoDLError
from autodl.system.files import check_writable, replacing

SUFFIXES = (".svg", ".png")
_PNG_DOTS_PER_INCH, _PNG_LARGEST_SIDE = 150.0, 12_000
SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "autodl", "text.usetex": False}
_LINK = re.compile(r"""<a xlink:href=(?:"([^"]*)"|'([^']*)') target="_blank">""")


def to_svg(figure: Figure) -> str:
    """The figure as the text of an SVG file, whose text stays text.

    The ``url`` of a dot or a bar is what a browser shows when the pointer rests on it: Matplotlib
    knows links, but no such texts.
    """
    content = io.StringIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return _LINK.sub(r"<g><title>\1\2</title>", content.getvalue()).replace("</a>", "</g>")


def check_figure(path: Path) -> None:
    """Refuse a drawing's file before what it shows is worked out.

    Raises:
        AutoDLError: another suffix, or a place that may not be written.
    """
    _suffix(path)
    check_writable(path, "the drawing goes there")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise AutoDLError(
            f"cannot draw to {path}: the name must end in {' or '.join(SUFFIXES)}, got {suffix!r}"
        )
    return suffix


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as .svg (text stays text) or .png; equal figures give equal bytes.

    Raises:
        AutoDLError: another suffix, or a file that cannot be written.
    """
    path = Path(path)
    suffix = _suffix(path)
    with replacing(path) as aside, matplotlib.rc_context(SETTINGS):
        if suffix == ".svg":
            aside.write_text(to_svg(figure), encoding="utf-8")
        else:
            largest = max(figure.get_size_inches())
            dpi = min(_PNG_DOTS_PER_INCH, _PNG_LARGEST_SIDE / largest)
            figure.savefig(aside, format="png", dpi=dpi, metadata={"Software": None})


def to_pixels(figure: Figure, *, largest_side: int = 1600) -> NDArray[np.uint8]:
    """The figure as RGB pixels, uint8 ``[H, W, 3]``, at most ``largest_side`` in each direction."""
    before = figure.get_dpi()
    figure.set_dpi(min(_PNG_DOTS_PER_INCH, largest_side / max(figure.get_size_inches())))
    try:
        with matplotlib.rc_context(SETTINGS):
            canvas: Any = FigureCanvasAgg(figure)
            canvas.draw()
            return np.array(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()
    finally:
        figure.set_dpi(before)
