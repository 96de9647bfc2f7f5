"""The network of ShuffleNetV2-like blocks, as a plan (SPOS).

A stem of 3x3, stages of blocks, a 1x1 convolution, the pooled features, dropout, the classifier;
every convolution has a batch-norm behind it, one that is not depthwise a ReLU, too. In a stage a
block changes every second channel and leaves the others, which then come first. The first block of
a stage halves the maps and widens them: all channels go through it, and through a shortcut of its
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from autodl.errors import ConfigError
from autodl.plans.layers import Concat, Dropout, EverySecond, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm, conv_norm_relu
from autodl.spaces.shuffle.architecture import ShuffleArchitecture

_KERNELS = {"shuffle_3x3": 3, "shuffle_5x5": 5, "shuffle_7x7": 7, "xception_3x3": 3}


def shuffle_plan(
    architecture: ShuffleArchitecture,
    *,
    classes: int = 10,
    image_size: int = 32,
    stem_width: int = 16,
    stem_stride: int = 2,
    widths: Sequence[int] = (64, 160, 320, 640),
    head_width: int = 1024,
    dropout: float = 0.1,
) -> Plan:
    """Spell out the layers of a network of shuffle blocks.

    Args:
        image_size: height and width of the RGB input.
        stem_width: channels of the stem.
        stem_stride: 2 halves the maps at once, 1 does not.
        widths: channels of each stage.
        head_width: channels of the convolution before the classifier.
        dropout: share of the features that are zeroed in training; 0 is no layer.

    Raises:
        ConfigError: an argument is out of range, widths do not fit the stages, or the architecture
            is of another space.

    Source: Guo et al., Single Path One-Shot Neural Architecture Search, ECCV 2020
    (arXiv:1904.00420).
    """
    if not isinstance(architecture, ShuffleArchitecture):
        raise ConfigError(
            f"ShuffleNetwork is made of shuffle blocks, got a {type(architecture).__name__}; name"
            " the Network of the architecture's own space"
        )
    _check_sizes(architecture, classes, image_size, (stem_width, *widths), head_width)
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm(builder, 0, "stem", stem_width, 3, stride=stem_stride)
    x = builder.add("stem.relu", Relu(), x)
    for stage, (blocks, width) in enumerate(zip(architecture.stages, widths, strict=True)):
        for place, block in enumerate(blocks):
            x = _block(builder, x, f"stage{stage}.block{place}", block, width, first=place == 0)
    x = conv_norm_relu(builder, x, "head", head_width, 1)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    if dropout:
        x = builder.add("head.dropout", Dropout(dropout), x)
    builder.add("head.classifier", Linear(head_width, classes, bias=False), x)
    return builder.finish()


def _check_sizes(
    architecture: ShuffleArchitecture,
    classes: int,
    image_size: int,
    widths: Sequence[int],
    head_width: int,
) -> None:
    """Raise ConfigError unless all is at least 1 and each stage has an even, larger width."""
    if min(classes, image_size, head_width, *widths) < 1:
        raise ConfigError(
            "classes, image_size and the widths of Network must be at least 1, got"
            f" {classes}, {image_size}, {', '.join(map(str, (*widths, head_width)))}"
        )
    stages = widths[1:]
    if len(stages) != len(architecture.stages):
        raise ConfigError(
            f"Network.widths has {len(stages)} stages, and the architecture"
            f" {len(architecture.stages)}; let Space.repeats and Network.widths be as long"
        )
    odd = any(width % 2 for width in stages)
    if odd or any(width <= before for before, width in pairwise(widths)):
        raise ConfigError(
            "Network.widths must be even and rise from the stem's"
            f" {widths[0]} on, got {', '.join(map(str, stages))}"
        )


def _block(
    builder: PlanBuilder, entry: int, name: str, block: str, width: int, *, first: bool
) -> int:
    size, stride = _KERNELS[block], 2 if first else 1
    kept, changed = entry, entry
    if first:
        inputs = builder.shape(entry)[0]
        kept = conv_norm(
            builder, entry, f"{name}.shortcut.depthwise", inputs, size, stride=2, groups=inputs
        )
        kept = conv_norm_relu(builder, kept, f"{name}.shortcut.point", inputs, 1)
    else:
        kept = builder.add(f"{name}.kept", EverySecond(0), entry)
        changed = builder.add(f"{name}.changed", EverySecond(1), entry)
    outputs = width - builder.shape(kept)[0]
    branch = _xception if block == "xception_3x3" else _shuffle
    x = branch(builder, changed, name, (width // 2, outputs), size, stride)
    return builder.add(f"{name}.joined", Concat(), kept, x)


def _shuffle(
    builder: PlanBuilder, x: int, name: str, widths: tuple[int, int], size: int, stride: int
) -> int:
    middle, outputs = widths
    x = conv_norm_relu(builder, x, f"{name}.expand", middle, 1)
    x = conv_norm(builder, x, f"{name}.depthwise", middle, size, stride=stride, groups=middle)
    return conv_norm_relu(builder, x, f"{name}.project", outputs, 1)


def _xception(
    builder: PlanBuilder, x: int, name: str, widths: tuple[int, int], size: int, stride: int
) -> int:
    middle, outputs = widths
    for number, channels in enumerate((middle, middle, outputs)):
        inputs = builder.shape(x)[0]
        step = stride if number == 0 else 1
        part = f"{name}.pair{number}"
        x = conv_norm(builder, x, f"{part}.depthwise", inputs, size, stride=step, groups=inputs)
        x = conv_norm_relu(builder, x, f"{part}.point", channels, 1)
    return x
