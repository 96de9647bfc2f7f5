"""The drawing of networks for series, as it is shown wherever architectures are drawn."""

from __future__ import annotations

from autodl.drawing.cells import draw_architecture, draw_gallery
from autodl.drawing.figures import save_figure
from autodl.spaces.sequence.architecture import SequenceArchitecture, SequenceBlock

BLOCKS = (
    SequenceBlock("conv_9", "linear", skip=True, halve=True),
    SequenceBlock("lstm"),
    *[SequenceBlock("dil_conv_3_by_4", "channel")] * 6,
)


def test_every_block_says_what_it_does(tmp_path):
    figure = draw_architecture(SequenceArchitecture(BLOCKS, "last"), title="mae 0.1250 $x$")
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert words[:4] == ["mae 0.1250 $x$", "series", "conv 9\nlinear gate\nhalf the length", "LSTM"]
    assert words[-2:] == ["dilated conv 3 by 4\nchannel gate", "last over time\nlinear"]
    assert len(axes.patches) == len(BLOCKS) + 2
    assert len(axes.lines) == 2  # around the block that has a skip, and on to the second row
    save_figure(figure, tmp_path / "best.svg")
    assert "half the length" in (tmp_path / "best.svg").read_text()


def test_it_is_as_large_as_it_has_to_be():
    one, many = (SequenceArchitecture(BLOCKS[:count]) for count in (1, 8))
    small, large = (draw_architecture(network).get_size_inches() for network in (one, many))
    assert small[0] < large[0]
    assert small[1] < large[1]


def test_several_stand_one_under_the_other():
    network = SequenceArchitecture(BLOCKS)
    figure = draw_gallery([("one", network), ("two", network)])
    (axes,) = figure.axes
    assert len(axes.patches) == 2 * (len(BLOCKS) + 2)
    tops = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert tops["one"] < tops["two"]
