"""Draws a network of shuffle blocks."""

from __future__ import annotations

from autodl.drawing.blocks import Box
from autodl.drawing.names import Family, family
from autodl.spaces.shuffle.architecture import ShuffleArchitecture

# colours are those of like operations of cells
_LOOKS: dict[str, tuple[str, Family]] = {
    "shuffle_3x3": ("shuffle 3×3", family("conv_3x3")),
    "shuffle_5x5": ("shuffle 5×5", family("sep_conv_5x5")),
    "shuffle_7x7": ("shuffle 7×7", family("conv_1x7_7x1")),
    "xception_3x3": ("xception 3×3", family("dil_conv_3x3")),
}


def shuffle_boxes(architecture: ShuffleArchitecture) -> list[Box]:
    """A box for each block, from the stem to the head; the first of a stage halves the size."""
    boxes = [Box("stem")]
    for blocks in architecture.stages:
        for place, block in enumerate(blocks):
            words, colour = _LOOKS[block]
            boxes.append(Box(words + "\nhalf the size" * (place == 0), colour))
    return [*boxes, Box("head")]
