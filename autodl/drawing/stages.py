"""Draws a network of stages, and what is special about its training."""

from __future__ import annotations

from autodl.drawing.blocks import Box
from autodl.drawing.names import Family, family
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture

_HALVED = {
    "none": "",
    "stride": "stride 2",
    "pool_conv": "pool, conv, norm",
    "conv_pool": "conv, pool, norm",
    "norm_pool": "conv, norm, pool",
    "end_pool": "pool at the end",
}
# Operations of cells whose colours forms share.
_LIKE = {"grouped": "dil_conv", "bottleneck": "conv_1x3_3x1", "depthwise": "sep_conv"}


def stages_boxes(architecture: StageArchitecture) -> list[Box]:
    """A box for each stage that is there, from the stem to the head; then the training, if special.

    It says number, form and kernel of the convolutions, channels (before any budget), activation,
    and how the maps are halved. A line around a box is the residual.
    """
    wide = f"\n{architecture.stem_width} channels" * (architecture.stem == "conv_3x3")
    stem = Box(f"{architecture.stem.replace('_', ' ')} stem{wide}".replace("3x3", "3×3"))
    middle = (Box(_words(stage), _colours(stage), _skips(stage)) for stage in architecture.present)
    head = Box(f"{architecture.head} over the map\nlinear")
    return [stem, *middle, head, *_training(architecture)]


def _words(stage: ConvStage) -> str:
    side = 3 if stage.form == "repvgg" else stage.kernel
    convolutions = f"{stage.convolutions} {stage.form} {side}×{side}"
    lines = convolutions, f"{stage.width} channels", stage.activation, _HALVED[stage.reduction]
    return "\n".join(filter(None, lines))


def _colours(stage: ConvStage) -> Family:
    return family(_LIKE.get(stage.form, "conv_3x3"))


def _skips(stage: ConvStage) -> bool:
    return stage.convolutions > 1 and stage.residual != "none"


def _training(architecture: StageArchitecture) -> list[Box]:
    lines = [
        f"{name} × {factor:g}"
        for name, factor in (("rate", architecture.rate), ("decay", architecture.decay))
        if factor != 1
    ]
    if architecture.first_size is not None:
        lines.append(f"pictures from {architecture.first_size} on")
    return [Box("\n".join(("training:", *lines)))] if lines else []
