"""Drawings by kind of architecture: those of their own, and those that plugins bring."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from autodl.config.plugins import note_provided
from autodl.drawing.blocks import Box, draw_boxes
from autodl.drawing.chains import chain_boxes
from autodl.drawing.edge_cells import draw_edge_cell
from autodl.drawing.sequences import sequence_boxes
from autodl.drawing.shuffles import shuffle_boxes
from autodl.drawing.stages import stages_boxes
from autodl.errors import PluginError

Draw: TypeAlias = Callable[[Any, str], Figure]

_BOXES: dict[str, Callable[[Any], list[Box]]] = {
    "chain": chain_boxes,
    "sequence": sequence_boxes,
    "shuffle": shuffle_boxes,
    "stages": stages_boxes,
}


def _as_boxes(boxes_of: Callable[[Any], list[Box]]) -> Draw:
    return lambda architecture, title: draw_boxes(boxes_of(architecture), title)


_OWN: dict[str, Draw] = {
    "edge_cell": draw_edge_cell,
    **{kind: _as_boxes(boxes_of) for kind, boxes_of in _BOXES.items()},
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


def own_boxes(kind: str, architecture: object) -> list[Box] | None:
    """The boxes that an architecture is drawn as, to stand in a gallery; None of other kinds."""
    return _BOXES[kind](architecture) if kind in _BOXES else None


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
