"""Draws a network for series."""

from __future__ import annotations

from autodl.drawing.blocks import Box
from autodl.drawing.names import family, readable
from autodl.spaces.sequence.architecture import SequenceArchitecture, SequenceBlock


def sequence_boxes(architecture: SequenceArchitecture) -> list[Box]:
    """A box for each block, coloured as operations are in cells, from the series to the head.

    Its second line names the gate, its third one says where the length is halved. A line around a
    box is its skip.
    """
    blocks = architecture.blocks
    middle = [Box(_words(block), family(block.operation), block.skip) for block in blocks]
    head = Box(f"{architecture.head} over time\nlinear")
    return [Box("series"), *middle, head]


def _words(block: SequenceBlock) -> str:
    gate = "" if block.gate == "none" else f"{block.gate} gate"
    lines = readable(block.operation), gate, "half the length" * block.halve
    return "\n".join(filter(None, lines))
