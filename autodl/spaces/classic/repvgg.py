"""RepVGG (Ding et al., CVPR 2021): a stack of 3x3 convolutions, the plain form of it.

Stage 0 is one layer; the first layer of every stage has stride 2. The branches, which the name is
from, belong to the training: ``replace_convolutions(network, "repvgg")`` adds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from autodl.errors import ConfigError, lookup
from autodl.plans.layers import GlobalAvgPool, Linear, Relu, Scale, Sigmoid
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm

Layers: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Variant:
    """A member of the family (the paper's table 2; B2g2 and B3g2 are in the authors' code alone).

    ``layers`` are those of stages 1 to 4, ``width`` is the factor ``a`` of the channels 64, 128
    and 256, ``last_width`` the factor ``b`` of 512. ``groups`` are those of every second layer.
    ``squeezes`` says whether squeeze-and-excitation stands before every ReLU.
    """

    layers: Layers
    width: float
    last_width: float
    groups: int = 1
    squeezes: bool = False


_A, _B = (2, 4, 14, 1), (4, 6, 16, 1)
VARIANTS: Mapping[str, Variant] = {
    "A0": Variant(_A, 0.75, 2.5),
    "A1": Variant(_A, 1, 2.5),
    "A2": Variant(_A, 1.5, 2.75),
    "B0": Variant(_B, 1, 2.5),
    "B1": Variant(_B, 2, 4),
    "B1g2": Variant(_B, 2, 4, groups=2),
    "B1g4": Variant(_B, 2, 4, groups=4),
    "B2": Variant(_B, 2.5, 5),
    "B2g2": Variant(_B, 2.5, 5, groups=2),
    "B2g4": Variant(_B, 2.5, 5, groups=4),
    "B3": Variant(_B, 3, 5),
    "B3g2": Variant(_B, 3, 5, groups=2),
    "B3g4": Variant(_B, 3, 5, groups=4),
    "D2se": Variant((8, 14, 24, 1), 2.5, 5, squeezes=True),
}
_LAST_GROUPED = 26  # counted from stage 0; longer networks have plain layers behind it
_REDUCTION = 16


def repvgg_plan(
    *,
    classes: int = 1000,
    image_size: int = 224,
    variant: str = "A0",
    layers: Layers | None = None,
    width: float = 1.0,
    cifar: bool = False,
) -> Plan:
    """Spell out the plain form: convolution, batch-norm, ReLU, without branches.

    Args:
        variant: a name in ``VARIANTS``.
        layers: of stages 1 to 4, in place of the variant's, for small studies.
        width: multiplies all channels, for the same.
        cifar: stages 0 and 1 keep the size of the pictures (stride 1), so pictures of 32x32 end
            as maps of 4x4. The choice of this project; the paper has no such networks.

    Raises:
        UnknownNameError: no such variant.
        ConfigError: a stage without layers, or a width that leaves a layer without channels, or
            with channels that its groups do not divide.
    """
    chosen = lookup(VARIANTS, variant, "Network.variant")
    if layers is not None:
        chosen = replace(chosen, layers=layers)
    if min(chosen.layers) < 1:
        raise ConfigError(f"Network.layers must be at least 1 each, got {list(chosen.layers)}")
    channels = [int(base * chosen.width * width) for base in (64, 128, 256)]
    channels = [min(int(64 * width), channels[0]), *channels, int(512 * chosen.last_width * width)]
    if min(channels) < 1:
        raise ConfigError(f"Network.width {width} leaves no channels in RepVGG {variant}; raise it")

    builder = PlanBuilder((3, image_size, image_size))
    x = number = 0
    for stage, (count, out) in enumerate(zip((1, *chosen.layers), channels, strict=True)):
        for index in range(count):
            stride = 1 if index or (cifar and stage < 2) else 2
            grouped = number % 2 == 0 and 0 < number <= _LAST_GROUPED
            groups = chosen.groups if grouped else 1
            if out % groups or builder.shape(x)[0] % groups:
                raise ConfigError(
                    f"Network.width {width} gives a layer of RepVGG {variant} {out} channels,"
                    f" which {groups} groups do not divide; choose another width"
                )
            name = f"stage{stage}.layer{index}"
            x = conv_norm(builder, x, name, out, 3, stride=stride, groups=groups)
            if chosen.squeezes:
                x = _squeeze_and_excite(builder, x, f"{name}.gate")
            x = builder.add(f"{name}.relu", Relu(), x)
            number += 1
    x = builder.add("head.pool", GlobalAvgPool(), x)
    builder.add("head.classifier", Linear(channels[-1], classes), x)
    return builder.finish()


def _squeeze_and_excite(builder: PlanBuilder, x: int, name: str) -> int:
    """Scale every map by a number in 0..1 that two linear layers tell from all maps' means.

    (Hu et al., CVPR 2018; reduced to a sixteenth, as the authors of RepVGG do in D2se.)
    """
    channels = builder.shape(x)[0]
    inner = max(channels // _REDUCTION, 1)
    means = builder.add(f"{name}.pool", GlobalAvgPool(), x)
    inside = builder.add(f"{name}.squeeze", Linear(channels, inner), means)
    inside = builder.add(f"{name}.relu", Relu(), inside)
    factors = builder.add(f"{name}.excite", Linear(inner, channels), inside)
    factors = builder.add(f"{name}.sigmoid", Sigmoid(), factors)
    return builder.add(f"{name}.scale", Scale(), x, factors)
