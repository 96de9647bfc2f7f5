"""The drawing of chains of blocks, as it is shown wherever architectures are drawn."""

from __future__ import annotations

from autodl.drawing.cells import draw_architecture
from autodl.spaces.chain.architecture import ChainArchitecture

BLOCKS = ("identity", "mb_conv_3_by_3", "mb_conv_5_by_6", *["identity"] * 5)


def test_every_place_says_what_it_does():
    (axes,) = draw_architecture(ChainArchitecture(BLOCKS), title="accuracy 93.1").axes
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert words[:5] == [
        "accuracy 93.1",
        "stem",
        "identity\nhalf the size",
        "bottleneck 3×3\nexpansion 3",
        "bottleneck 5×5\nexpansion 6\nhalf the size",
    ]
    assert words[-1] == "head"
    assert len(axes.patches) == len(BLOCKS) + 2
    assert sum("half" in word for word in words) == 3
