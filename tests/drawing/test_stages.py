"""The drawing of networks of stages."""

from __future__ import annotations

from dataclasses import replace

from autodl.drawing.cells import draw_architecture
from autodl.drawing.figures import save_figure
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture

STAGES = (
    ConvStage(128, "norm_pool", 3, residual="after_activation"),
    ConvStage(64, convolutions=0, residual="after_activation"),
    ConvStage(256, "stride", 1, 5, "repvgg", "after_activation", "gelu"),
)
NETWORK = StageArchitecture(STAGES, "conv_3x3", 64, "mean")


def words(network, title=""):
    (axes,) = draw_architecture(network, title=title).axes
    return [text.get_text() for text in axes.texts if text.get_text()], len(axes.lines)


def test_every_stage_that_is_there_says_what_it_is(tmp_path):
    assert words(NETWORK, "accuracy $x$") == (
        [
            "accuracy $x$",
            "conv 3×3 stem\n64 channels",
            "3 dense 3×3\n128 channels\nrelu\nconv, norm, pool",
            "1 repvgg 3×3\n256 channels\ngelu\nstride 2",
            "mean over the map\nlinear",
        ],
        1,  # around the first stage: a residual around nothing is none
    )
    save_figure(draw_architecture(NETWORK, title=""), tmp_path / "best.svg")
    assert "256 channels" in (tmp_path / "best.svg").read_text()


def test_a_training_of_its_own_is_said():
    own = replace(NETWORK, stem="whitened", rate=0.5, first_size=20)
    shown, _ = words(own)
    assert shown[0] == "whitened stem"
    assert shown[-1] == "training:\nrate × 0.5\npictures from 20 on"
