"""The network that DARTS stacks from a genotype, as a plan.

Stem, then cells, each of which reads the two before it; the cells a third and two thirds of the way
up halve the maps and double the channels. Convolutions have no bias. (Liu et al., ICLR 2019.) There
is a stem for small pictures and one for large ones.

A mixture of genotypes has all operations on all edges, side by side; its pools have batch-norms
behind them, and batch-norms in its cells neither scale nor shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, TypeAlias

from autodl.errors import ConfigError
from autodl.plans.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Crop,
    DropPath,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Pair,
    Relu,
    Shape,
)
from autodl.plans.mixture import Mix
from autodl.plans.plan import Auxiliary, Plan, PlanBuilder
from autodl.plans.stacking import conv_norm, without_scales
from autodl.spaces.genotype.architecture import SKIP, Genotype, published_genotype
from autodl.spaces.genotype.mixture import EDGES, NONE, NORMAL, REDUCE, GenotypeMixture

STEM_FACTOR = 3  # channels of the stem for small pictures, in those of the first cells
CLASSIFIER_STD = 1e-3
# builder, position of the input, name of the edge, stride -> position of the output
_Build: TypeAlias = Callable[[PlanBuilder, int, str, int], int]
Stem: TypeAlias = Literal["cifar", "imagenet"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs by the stem: how far a network halves, and what its auxiliary classifier is."""

    halvings: int  # of the pictures, until the last cells
    auxiliary_size: int  # smallest maps that the auxiliary classifier can read
    auxiliary_norm: bool  # whether its wide convolution has a batch-norm


_KINDS: dict[Stem, _Kind] = {"cifar": _Kind(2, 8, True), "imagenet": _Kind(5, 7, False)}


def genotype_plan(
    genotype: Genotype | GenotypeMixture,
    *,
    channels: int = 36,
    layers: int = 20,
    classes: int = 10,
    image_size: int = 32,
    stem: Stem = "cifar",
    init: Literal["he", "lrc"] = "he",
) -> Plan:
    """Spell out the layers of a genotype's network.

    Pictures of 32x32 and more (of 224x224 with the stem for large ones) have an auxiliary
    classifier, smaller ones no room for it.

    Args:
        channels: that operations of the first cells work on.
        layers: number of cells.
        image_size: height and width of the RGB input, a multiple of 4, or of 32.
        stem: "cifar" is one convolution; "imagenet" three, each of which halves the pictures.
        init: of convolutions: "he" is this project's rule (by their inputs), "lrc" see
            ``drawn_as_lrc``.

    Raises:
        ConfigError: an argument is out of range, or the architecture is no genotype.
    """
    if not isinstance(genotype, Genotype | GenotypeMixture):
        raise ConfigError(
            f"OwnGenotype is made of a genotype, got a {type(genotype).__name__}; name the Network"
            " of the architecture's own space"
        )
    for name, value in {"channels": channels, "layers": layers, "classes": classes}.items():
        if value < 1:
            raise ConfigError(f"Network.{name} must be at least 1, got {value}")
    kind = _KINDS[stem]
    multiple = 2**kind.halvings
    if image_size < multiple or image_size % multiple:
        raise ConfigError(
            f"a genotype's network with the stem {stem} halves its pictures {kind.halvings} times:"
            f" their size must be a multiple of {multiple}, got {image_size}; set Data.image_size"
        )
    if channels % 2:
        raise ConfigError(f"Network.channels must be even, for both halves, got {channels}")
    builder = PlanBuilder((3, image_size, image_size))
    before, last = _stem(builder, channels, stem)
    # behind the large stem the two that the first cell reads differ in size, as behind a reduction
    auxiliary, reduced = None, before != last
    for number in range(layers):
        reduces = number in (layers // 3, 2 * layers // 3)
        channels *= 2 if reduces else 1
        name = f"cell{number}"
        entries = [
            _entry(builder, before, f"{name}.entry0", channels, halves=reduced),
            _entry(builder, last, f"{name}.entry1", channels, halves=False),
        ]
        if isinstance(genotype, GenotypeMixture):
            before, last = last, _mixed_cell(builder, entries, genotype, name, reduces)
        else:
            before, last = last, _cell(builder, entries, genotype, name, reduces)
        reduced = reduces
        if number == 2 * layers // 3 and builder.shape(last)[1] >= kind.auxiliary_size:
            head = auxiliary_plan(builder.shape(last), classes, wide_norm=kind.auxiliary_norm)
            auxiliary = Auxiliary(last, head)
    x = builder.add("head.pool", GlobalAvgPool(), last)
    builder.add("head.classifier", Linear(builder.shape(x)[0], classes, CLASSIFIER_STD), x)
    plan = builder.finish(auxiliary)
    if isinstance(genotype, GenotypeMixture):
        plan = without_scales(plan)
    return drawn_as_lrc(plan) if init == "lrc" else plan


def published_genotype_plan(
    *,
    genotype: str = "DARTS_V2",
    channels: int = 36,
    layers: int = 20,
    classes: int = 10,
    image_size: int = 32,
    stem: Stem = "cifar",
    init: Literal["he", "lrc"] = "he",
) -> Plan:
    """The same for a genotype of the literature, by name.

    Raises:
        UnknownNameError: no such genotype.
        ConfigError: an argument is out of range.
    """
    return genotype_plan(
        published_genotype(genotype),
        channels=channels,
        layers=layers,
        classes=classes,
        image_size=image_size,
        stem=stem,
        init=init,
    )


def drawn_as_lrc(plan: Plan) -> Plan:
    """The plan with convolutions drawn from a normal of deviation ``sqrt(2 / fan-out)``.

    The fan-out is all outputs times the kernel's size, in depthwise convolutions, too. Source: the
    code of LRC (PaddlePaddle/AutoDL), by Fluid's Xavier of a fan-in of 0.
    """
    builder = PlanBuilder(plan.input_shape)
    for record in plan.records[1:]:
        layer = record.layer
        if isinstance(layer, Conv):
            std = (2.0 / (layer.out_channels * prod(layer.kernel))) ** 0.5
            layer = replace(layer, weight_std=std)
        builder.add(record.name, layer, *record.inputs)
    head = plan.auxiliary
    return builder.finish(head and replace(head, plan=drawn_as_lrc(head.plan)))


def auxiliary_plan(maps: Shape, classes: int, *, wide_norm: bool = True) -> Plan:
    """The auxiliary classifier that reads these maps, of 7x7 or more.

    Its window moves by 3, on maps of 7x7 by 2, as that of DARTS for ImageNet. What is left of
    larger maps than 10x10, which the authors do not have, is averaged before the last layer.

    Args:
        wide_norm: whether the second convolution has a batch-norm; the authors' have none for
            ImageNet, in DARTS (a slip that they kept) as in LRC.
    """
    builder = PlanBuilder(maps)
    x = builder.add("relu", Relu(), 0)
    step = 3 if maps[1] >= 8 else 2
    x = builder.add("pool", AvgPool((5, 5), (step, step)), x)
    for name, channels, size in (("narrow", 128, 1), ("widen", 768, 2)):
        conv = Conv(builder.shape(x)[0], channels, (size, size), bias=False)
        x = builder.add(f"{name}.conv", conv, x)
        if wide_norm or name == "narrow":
            x = _norm(builder, x, f"{name}.norm")
        x = builder.add(f"{name}.relu", Relu(), x)
    x = builder.add("mean", GlobalAvgPool(), x)
    builder.add("classifier", Linear(builder.shape(x)[0], classes, CLASSIFIER_STD), x)
    return builder.finish()


def _stem(builder: PlanBuilder, channels: int, stem: Stem) -> tuple[int, int]:
    """The two positions that the first cell reads.

    Source: of "imagenet" the code of DARTS and of LRC (PaddlePaddle/AutoDL).
    """
    if stem == "cifar":
        only = conv_norm(builder, 0, "stem", STEM_FACTOR * channels, 3)
        return only, only
    x = conv_norm(builder, 0, "stem0.first", channels // 2, 3, stride=2)
    x = builder.add("stem0.relu", Relu(), x)
    before = conv_norm(builder, x, "stem0.second", channels, 3, stride=2)
    x = builder.add("stem1.relu", Relu(), before)
    return before, conv_norm(builder, x, "stem1", channels, 3, stride=2)


def _entry(builder: PlanBuilder, x: int, name: str, channels: int, *, halves: bool) -> int:
    """What stands between an earlier cell and a node 0 or 1."""
    if halves:
        return _halve(builder, x, f"{name}.halve", channels)
    return conv_norm(builder, builder.add(f"{name}.relu", Relu(), x), name, channels, 1)


def _cell(
    builder: PlanBuilder, entries: list[int], genotype: Genotype, name: str, reduces: bool
) -> int:
    cell = genotype.reduce if reduces else genotype.normal
    nodes = list(entries)
    for node in range(2, cell.nodes + 2):
        ends = []
        for number in (2 * node - 4, 2 * node - 3):
            operation, source = cell.edges[number]
            stride = 2 if reduces and source < 2 else 1
            x = nodes[source]
            if operation != SKIP or stride > 1:
                edge = f"{name}.edge{number}"
                x = _BUILD[operation](builder, x, edge, stride)
                x = builder.add(f"{edge}.drop", DropPath(), x)
            ends.append(x)
        nodes.append(builder.add(f"{name}.node{node}", Add(), *ends))
    return builder.add(f"{name}.concat", Concat(), *(nodes[node] for node in cell.concat))


def _mixed_cell(
    builder: PlanBuilder, entries: list[int], mixture: GenotypeMixture, name: str, reduces: bool
) -> int:
    table, nodes = REDUCE if reduces else NORMAL, list(entries)
    columns = tuple(place for place, one in enumerate(mixture.columns) if one != NONE)
    for node in sorted({end for _, end in EDGES}):
        ends = []
        for row, (source, end) in enumerate(EDGES):
            if end != node:
                continue
            edge, stride = f"{name}.edge{row}", 2 if reduces and source < 2 else 1
            mixed = [
                _operation(builder, nodes[source], edge, mixture.columns[column], stride)
                for column in columns
            ]
            ends.append(builder.add(f"{edge}.mix", Mix(table, row, columns), *mixed))
        nodes.append(builder.add(f"{name}.node{node}", Add(), *ends))
    return builder.add(f"{name}.concat", Concat(), *nodes[2:])


def _operation(builder: PlanBuilder, x: int, edge: str, operation: str, stride: int) -> int:
    """One of several on an edge."""
    if operation == SKIP and stride == 1:
        return x
    name = f"{edge}.{operation}"
    x = _BUILD[operation](builder, x, name, stride)
    return _norm(builder, x, f"{name}.norm") if "pool" in operation else x


def _norm(builder: PlanBuilder, x: int, name: str) -> int:
    return builder.add(name, BatchNorm(builder.shape(x)[0], momentum=0.9, epsilon=1e-5), x)


def _halve(builder: PlanBuilder, x: int, name: str, channels: int) -> int:
    """Factorised reduction: half of the channels from even pixels, half from odd ones."""
    x = builder.add(f"{name}.relu", Relu(), x)
    half = Conv(builder.shape(x)[0], channels // 2, (1, 1), (2, 2), bias=False)
    even = builder.add(f"{name}.even", half, x)
    odd = builder.add(f"{name}.odd", half, builder.add(f"{name}.shift", Crop(1, 1), x))
    return _norm(builder, builder.add(f"{name}.concat", Concat(), even, odd), f"{name}.norm")


def _skip(builder: PlanBuilder, x: int, name: str, stride: int) -> int:
    return _halve(builder, x, f"{name}.halve", builder.shape(x)[0])


def _pool(kind: type[MaxPool] | type[AvgPool]) -> _Build:
    def build(builder: PlanBuilder, x: int, name: str, stride: int) -> int:
        return builder.add(f"{name}.pool", kind((3, 3), (stride, stride), (1, 1, 1, 1)), x)

    return build


def _depthwise(
    builder: PlanBuilder, x: int, name: str, size: int, stride: int, dilation: int
) -> int:
    """ReLU, a depthwise convolution, one of 1x1, batch-norm."""
    channels, pad = builder.shape(x)[0], dilation * (size // 2)
    depthwise = Conv(
        channels,
        channels,
        (size, size),
        (stride, stride),
        (pad, pad, pad, pad),
        dilation=(dilation, dilation),
        groups=channels,
        bias=False,
    )
    x = builder.add(f"{name}.relu", Relu(), x)
    x = builder.add(f"{name}.depthwise", depthwise, x)
    x = builder.add(f"{name}.pointwise", Conv(channels, channels, (1, 1), bias=False), x)
    return _norm(builder, x, f"{name}.norm")


def _separable(size: int) -> _Build:
    def build(builder: PlanBuilder, x: int, name: str, stride: int) -> int:
        x = _depthwise(builder, x, f"{name}.first", size, stride, 1)
        return _depthwise(builder, x, f"{name}.second", size, 1, 1)

    return build


def _dilated(size: int) -> _Build:
    def build(builder: PlanBuilder, x: int, name: str, stride: int) -> int:
        return _depthwise(builder, x, f"{name}.first", size, stride, 2)

    return build


def _pair(size: int) -> _Build:
    """ReLU, 1xk, kx1, batch-norm; each convolution has the stride of its own axis."""

    def build(builder: PlanBuilder, x: int, name: str, stride: int) -> int:
        name, channels, pad = f"{name}.pair", builder.shape(x)[0], size // 2
        row: tuple[Pair, Pair] = (1, size), (1, stride)
        column: tuple[Pair, Pair] = (size, 1), (stride, 1)
        x = builder.add(f"{name}.relu", Relu(), x)
        conv = Conv(channels, channels, *row, (0, 0, pad, pad), bias=False)
        x = builder.add(f"{name}.row", conv, x)
        conv = Conv(channels, channels, *column, (pad, pad, 0, 0), bias=False)
        return _norm(builder, builder.add(f"{name}.column", conv, x), f"{name}.norm")

    return build


_BUILD: dict[str, _Build] = {
    SKIP: _skip,
    "max_pool_3x3": _pool(MaxPool),
    "avg_pool_3x3": _pool(AvgPool),
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "sep_conv_7x7": _separable(7),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "conv_3x1_1x3": _pair(3),
    "conv_7x1_1x7": _pair(7),
}
