"""The drawing of networks of shuffle blocks, as it is shown wherever architectures are drawn."""

from __future__ import annotations

from autodl.drawing.cells import draw_architecture
from autodl.spaces.shuffle.architecture import ShuffleArchitecture

STAGES = (("shuffle_3x3", "xception_3x3"), ("shuffle_7x7", "shuffle_5x5"))


def test_every_block_says_what_it_does():
    (axes,) = draw_architecture(ShuffleArchitecture(STAGES), title="accuracy 74.1").axes
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert words == [
        "accuracy 74.1",
        "stem",
        "shuffle 3×3\nhalf the size",
        "xception 3×3",
        "shuffle 7×7\nhalf the size",
        "shuffle 5×5",
        "head",
    ]
    assert len(axes.patches) == 6
