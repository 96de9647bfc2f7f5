"""Drawings by kind of architecture: those of their own, and those that plugins bring."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from autodl.config.plugins import note_provided
from autodl.drawing.chains import draw_chain
from autodl.drawing.edge_cells import draw_edge_cell
from autodl.drawing.sequences import draw_sequence
from autodl.drawing.shuffles import draw_shuffle
from autodl.drawing.stages import draw_stages
from autodl.errors import PluginError

Draw: TypeAlias = Callable[[Any, str], Figure]

_OWN: dict[str, Draw] = {
    "chain": draw_chain,
    "edge_cell": draw_edge_cell,
    "sequence": draw_sequence,
    "shuffle": draw_shuffle,
    "stages": draw_stages,
}
_BUILT_IN = "cell_pair"
_LOGGER = logging.getLogger("autodl")


def register_drawing(kind: str, draw: Draw) -> None:
    """Say how architectures of a kind are drawn; reports, ``best.svg`` and VisualDL show it.

    Args:
        kind: that of their JSON objects.
        draw: called with an architecture and a title, which may be empty; gives a figure that
            belongs to no window, so one of ``matplotlib.figure.Figure()`` and not of pyplot.

    Raises:
        ValueError: the kind has a drawing already.
    """
    if kind in _OWN or kind == _BUILT_IN:
        raise ValueError(f"kind {kind!r} has a drawing already")
    _OWN[kind] = draw
    note_provided("drawing", kind)


def kinds_drawn() -> tuple[str, ...]:
    """All kinds that there is a drawing for."""
    return (_BUILT_IN, *_OWN)


def draw_own(kind: str, architecture: object, title: str) -> Figure | None:
    """The drawing of a kind; None where there is none.

    Raises:
        PluginError: that of a plugin fails, which is logged as well, or it gives something else
            than a figure.
    """
    if kind not in _OWN:
        return None
    try:
        figure = _OWN[kind](architecture, title)
    except Exception as error:  # a picture must not cost a search its result
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        _LOGGER.warning("the drawing of kind %r failed: %s", kind, reason, exc_info=error)
        raise PluginError(f"the drawing of kind {kind!r} failed: {reason}") from error
    if not isinstance(figure, Figure):
        raise PluginError(
            f"the drawing of kind {kind!r} gives a matplotlib Figure, got {type(figure).__name__}"
        )
    return figure
