"""Airbench: a hand-made network that learns CIFAR-10 in little time (Jordan, arXiv:2404.00498)."""

from __future__ import annotations

from autodl.plans.layers import (
    Add,
    BatchNorm,
    Conv,
    Gelu,
    GlobalMaxPool,
    Linear,
    MaxPool,
    Times,
)
from autodl.plans.plan import Plan, PlanBuilder

_WHITENED = 24  # 3 colours of 2x2 pixels have 12 directions, each with both signs
_EPSILON = 1e-12  # of batch-norms; their maps are never constant
_MOMENTUM = {2: 0.6, 3: 0.9}  # of batch-norms, by the depth of stages
_OUTPUT = 1 / 9  # all outputs are scaled by it, so that the first losses are small


def airbench_plan(
    *,
    classes: int = 10,
    image_size: int = 32,
    widths: tuple[int, int, int] = (64, 128, 128),
    depth: int = 2,
) -> Plan:
    """A 2x2 convolution without padding, then three stages of two or three 3x3 convolutions each.

    The first layer is made to be whitened (see ``training/hooks/whitening.py``). A stage pools
    between its first convolution and that one's batch-norm, so normalisation and activation work on
    a quarter of the map. The head takes the maximum over the map, which for 32x32 is 3x3 then, and
    has no bias. Batch-norms follow fast: their ``momentum`` is 0.6. Widths of 64, 128, 128 and 64,
    256, 256 are the author's networks for 93 and 94 %.

    Of three convolutions in a stage, what the first one comes to is added in front of the last
    activation, and the momentum is 0.9. Widths of 128, 384, 512 are the author's network for 96 %
    then, as his code has it since it was improved behind the paper, where the sum was behind the
    activation (github.com/KellerJordan/cifar10-airbench, ``airbench96_faster.py``).

    Args:
        depth: convolutions of each stage, 2 or 3.

    Raises:
        ValueError: the pictures are smaller than 9x9, of which no map would be left.
    """
    if image_size < 9:
        raise ValueError(
            f"Airbench halves its maps three times behind a 2x2 convolution: pictures have 9x9"
            f" pixels or more, got {image_size}x{image_size}"
        )
    builder = PlanBuilder((3, image_size, image_size))
    x = builder.add("whitening.conv", Conv(3, _WHITENED, (2, 2)), 0)
    x = builder.add("whitening.gelu", Gelu(), x)
    for stage, width in enumerate(widths, start=1):
        x = _convolution(builder, x, f"stage{stage}.conv0", width)
        x = builder.add(f"stage{stage}.pool", MaxPool((2, 2), (2, 2)), x)
        x = entry = _normalised(builder, x, f"stage{stage}.norm0", depth)
        for number in range(1, depth):
            x = _convolution(builder, x, f"stage{stage}.conv{number}", width)
            added = entry if number == 2 else None
            x = _normalised(builder, x, f"stage{stage}.norm{number}", depth, added)
    x = builder.add("head.pool", GlobalMaxPool(), x)
    x = builder.add("head.classifier", Linear(widths[-1], classes, bias=False), x)
    builder.add("head.scale", Times(_OUTPUT), x)
    return builder.finish()


def _convolution(builder: PlanBuilder, x: int, name: str, width: int) -> int:
    inputs = builder.shape(x)[0]
    return builder.add(name, Conv(inputs, width, (3, 3), padding=(1, 1, 1, 1), bias=False), x)


def _normalised(
    builder: PlanBuilder, x: int, name: str, depth: int, added: int | None = None
) -> int:
    """Append a batch-norm, a sum with what is ``added``, and a GELU."""
    norm = BatchNorm(builder.shape(x)[0], momentum=_MOMENTUM[depth], epsilon=_EPSILON)
    x = builder.add(f"{name}.batch", norm, x)
    if added is not None:
        x = builder.add(f"{name}.sum", Add(), x, added)
    return builder.add(f"{name}.gelu", Gelu(), x)
