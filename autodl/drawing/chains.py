"""Draws a chain of blocks."""

from __future__ import annotations

from autodl.drawing.blocks import Box
from autodl.drawing.names import Family, family
from autodl.spaces.chain.architecture import STRIDES, ChainArchitecture

# in the words of the plan: kernel and expansion, the colours those of cells
_LOOKS: dict[str, tuple[str, Family]] = {
    "identity": ("identity", family("skip_connect")),
    "mb_conv_3_by_3": ("bottleneck 3×3\nexpansion 3", family("conv_3x3")),
    "mb_conv_5_by_6": ("bottleneck 5×5\nexpansion 6", family("sep_conv_5x5")),
}


def chain_boxes(architecture: ChainArchitecture) -> list[Box]:
    """A box for each place, from the stem to the head, which says where the size is halved.

    An identity in a place that keeps the size is no layer, where it halves it a 1x1 convolution.
    """
    boxes = [Box("stem")]
    for block, stride in zip(architecture.blocks, STRIDES, strict=True):
        words, colour = _LOOKS[block]
        boxes.append(Box(words + "\nhalf the size" * (stride > 1), colour))
    return [*boxes, Box("head")]
