"""The network of a chain of blocks, as a plan (NAS-Bench-Macro).

A stem of 3x3, the blocks, a 1x1 convolution, the pooled features, the classifier; every convolution
has a batch-norm behind it, and a ReLU but where a block ends. The width doubles wherever the stride
is 2; there, an identity is a 1x1 convolution.
"""

from __future__ import annotations

from autodl.errors import ConfigError
from autodl.plans.layers import Add, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm, conv_norm_relu
from autodl.spaces.chain.architecture import STRIDES, ChainArchitecture

# kernel and expansion
_BOTTLENECKS = {"mb_conv_3_by_3": (3, 3), "mb_conv_5_by_6": (5, 6)}


def chain_plan(
    architecture: ChainArchitecture,
    *,
    classes: int = 10,
    image_size: int = 32,
    stem_width: int = 32,
    head_width: int = 1280,
) -> Plan:
    """Spell out the layers of a chain's network.

    Args:
        image_size: height and width of the RGB input.
        stem_width: channels of the stem; those of the places follow from it.
        head_width: channels of the convolution before the classifier.

    Raises:
        ConfigError: an argument is below 1, or the architecture is of another space.

    Source: Su et al., NAS-Bench-Macro, CVPR 2021 (arXiv:2103.11922): widths 32 and 1,280.
    """
    if not isinstance(architecture, ChainArchitecture):
        raise ConfigError(
            f"ChainNetwork is made of chains of blocks, got a {type(architecture).__name__}; name"
            " the Network of the architecture's own space"
        )
    if min(classes, image_size, stem_width, head_width) < 1:
        raise ConfigError(
            "classes, image_size, Network.stem_width and Network.head_width must be at least 1,"
            f" got {classes}, {image_size}, {stem_width} and {head_width}"
        )
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm_relu(builder, 0, "stem", stem_width, 3)
    for place, (block, stride) in enumerate(zip(architecture.blocks, STRIDES, strict=True)):
        x = _block(builder, x, f"block{place}", block, stride)
    x = conv_norm_relu(builder, x, "head", head_width, 1)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    builder.add("head.classifier", Linear(head_width, classes), x)
    return builder.finish()


def _block(builder: PlanBuilder, entry: int, name: str, block: str, stride: int) -> int:
    inputs = builder.shape(entry)[0]
    width = inputs * stride
    if block == "identity":
        if stride == 1:
            return entry
        return conv_norm(builder, entry, f"{name}.identity", width, 1, stride=stride)
    size, expansion = _BOTTLENECKS[block]
    hidden = expansion * inputs
    x = conv_norm_relu(builder, entry, f"{name}.expand", hidden, 1)
    x = conv_norm(builder, x, f"{name}.depthwise", hidden, size, stride=stride, groups=hidden)
    x = builder.add(f"{name}.depthwise.relu", Relu(), x)
    x = conv_norm(builder, x, f"{name}.project", width, 1)
    return builder.add(f"{name}.sum", Add(), x, entry) if stride == 1 else x
