"""The network that AutoDL Design stacks from a cell pair, as a plan (Inception style).

Stem, then stages of cells; the first cell of every stage but the first is the reduction
cell, which halves the resolution and doubles the channels; then the classifier.
"""

from __future__ import annotations

from collections.abc import Mapping

from autodl.errors import ConfigError
from autodl.plans.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Padding,
    Relu,
)
from autodl.plans.plan import Plan, PlanBuilder
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.operations import operation, same_conv


def cell_plan(
    architecture: CellPair,
    *,
    width: int = 64,
    cells_per_stage: int = 3,
    stages: int = 3,
    classes: int = 10,
    bottleneck: int = 4,
    image_size: int = 32,
    dropout: float = 0.5,
    stem: str = "plain",
    shortcut: bool = False,
    entry: str = "own",
) -> Plan:
    """Spell out the layers of an architecture's network.

    Args:
        width: channels of the stem and of the first stage; each further stage doubles them.
        cells_per_stage: cells in a stage, the reduction cell included.
        bottleneck: nodes work on ``channels // bottleneck`` channels (the original: 4).
        image_size: height and width of the RGB input.
        dropout: share of the pooled features that is dropped while training.
        stem: ``plain`` is the original's convolution; ``halving`` has one of half the channels and
            then one of stride 2, so that the first stage costs a quarter; ``pooled`` has, in place
            of the stride, a maximum over 2x2 behind the second.
        shortcut: a cell's input is added to its output, which the original does not do; around a
            reduction cell it is averaged over 2x2 and brought to the new width by a convolution
            (He et al., CVPR 2019, ResNet-D).
        entry: ``own`` is the original's: every node without predecessor normalises and squeezes the
            cell's input for itself, and every node normalises what it reads. ``shared`` normalises
            the input once for all of them, squeezes it once if the bottleneck is above 1, and
            normalises what leaves a node's convolution.

    Raises:
        ConfigError: an argument is out of range, the width is below the bottleneck, or the
            architecture is of another space.
    """
    if not isinstance(architecture, CellPair):
        raise ConfigError(
            f"CellNetwork is made of two cells, got a {type(architecture).__name__}; name the"
            " Network of the architecture's own space"
        )
    whole = {
        "width": width,
        "cells_per_stage": cells_per_stage,
        "stages": stages,
        "classes": classes,
        "bottleneck": bottleneck,
        "image_size": image_size,
    }
    _check(whole, dropout, entry)

    builder = PlanBuilder((3, image_size, image_size))
    x = _add_stem(builder, width, stem)
    for stage in range(stages):
        for index in range(cells_per_stage):
            reduces = stage > 0 and index == 0
            cell = architecture.reduction if reduces else architecture.normal
            before, name = x, f"stage{stage}.cell{index}"
            outputs = _NODES[entry](builder, before, cell, name, reduces, bottleneck)
            x = _add_ends(builder, before, outputs, cell, name, reduces)
            if shortcut:
                x = _add_shortcut(builder, before, x, name, reduces)
    x = _batch_norm_relu(builder, x, "head")
    x = builder.add("head.pool", GlobalAvgPool(), x)
    x = builder.add("head.dropout", Dropout(dropout), x)
    builder.add("head.classifier", Linear(builder.shape(x)[0], classes), x)
    return builder.finish()


def _check(whole: Mapping[str, int], dropout: float, entry: str) -> None:
    """Refuse what is out of range, or too narrow for its bottleneck."""
    for name, value in whole.items():
        if value < 1:
            raise ConfigError(f"Network.{name} must be at least 1, got {value}")
    width, bottleneck = whole["width"], whole["bottleneck"]
    if width < bottleneck:
        raise ConfigError(
            f"Network.width must be at least Network.bottleneck = {bottleneck}, got {width}"
        )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"Network.dropout must be at least 0 and below 1, got {dropout}")
    if entry not in _NODES:
        raise ConfigError(f"Network.entry must be {' or '.join(_NODES)}, got {entry!r}")


def _add_stem(builder: PlanBuilder, width: int, kind: str) -> int:
    if kind == "plain":
        return same_conv(builder, 0, "stem", width, (3, 3))
    if kind not in ("halving", "pooled"):
        raise ConfigError(f"Network.stem must be plain, halving or pooled, got {kind!r}")
    x = same_conv(builder, 0, "stem.first", max(width // 2, 1), (3, 3))
    x = _batch_norm_relu(builder, x, "stem")
    if kind == "halving":
        return same_conv(builder, x, "stem.second", width, (3, 3), stride=(2, 2))
    x = same_conv(builder, x, "stem.second", width, (3, 3))
    return builder.add("stem.pool", MaxPool((2, 2), (2, 2), _even(builder, x)), x)


def _even(builder: PlanBuilder, x: int) -> Padding:
    """Padding for windows of 2x2: an odd size's last row and column count alone."""
    height, width = builder.shape(x)[1:]
    return 0, height % 2, 0, width % 2


def _add_shortcut(builder: PlanBuilder, entry: int, x: int, name: str, reduces: bool) -> int:
    if reduces:
        pool = AvgPool((2, 2), (2, 2), _even(builder, entry))
        entry = builder.add(f"{name}.shortcut.pool", pool, entry)
        entry = same_conv(builder, entry, f"{name}.shortcut.conv", builder.shape(x)[0], (1, 1))
    return builder.add(f"{name}.shortcut.sum", Add(), x, entry)


def _batch_norm_relu(builder: PlanBuilder, x: int, name: str) -> int:
    x = builder.add(f"{name}.norm", BatchNorm(builder.shape(x)[0]), x)
    return builder.add(f"{name}.relu", Relu(), x)


def _nodes_of_their_own(
    builder: PlanBuilder, entry: int, cell: Cell, name: str, reduces: bool, bottleneck: int
) -> list[int]:
    """Append a cell's nodes; those without predecessor do its down-sampling."""
    channels = builder.shape(entry)[0]
    outputs: list[int] = []
    for node, op_id in enumerate(cell.op_ids):
        here = f"{name}.node{node}"
        parents = cell.parents(node)
        if not parents:
            x = _batch_norm_relu(builder, entry, f"{here}.entry")
            x = same_conv(builder, x, f"{here}.squeeze", channels // bottleneck, (1, 1))
        else:
            x = _sum(builder, [outputs[parent] for parent in parents], here)
        x = _batch_norm_relu(builder, x, here)
        outputs.append(operation(op_id).build(builder, x, here, reduces and not parents))
    return outputs


def _nodes_that_share(
    builder: PlanBuilder, entry: int, cell: Cell, name: str, reduces: bool, bottleneck: int
) -> list[int]:
    """The same of a cell with a shared entry."""
    channels = builder.shape(entry)[0]
    entry = _batch_norm_relu(builder, entry, f"{name}.entry")
    if bottleneck > 1:
        entry = same_conv(builder, entry, f"{name}.squeeze", channels // bottleneck, (1, 1))
        entry = _batch_norm_relu(builder, entry, f"{name}.squeezed")
    outputs: list[int] = []
    for node, op_id in enumerate(cell.op_ids):
        here = f"{name}.node{node}"
        parents = cell.parents(node)
        x = _sum(builder, [outputs[parent] for parent in parents] or [entry], here)
        x = operation(op_id).build(builder, x, here, reduces and not parents)
        if isinstance(builder.layer(x), Conv):  # not behind a pool or a skip
            x = _batch_norm_relu(builder, x, here)
        outputs.append(x)
    return outputs


_NODES = {"own": _nodes_of_their_own, "shared": _nodes_that_share}


def _sum(builder: PlanBuilder, inputs: list[int], name: str) -> int:
    return builder.add(f"{name}.sum", Add(), *inputs) if len(inputs) > 1 else inputs[0]


def _add_ends(
    builder: PlanBuilder, entry: int, outputs: list[int], cell: Cell, name: str, reduces: bool
) -> int:
    """Bring what nobody reads to the channels of the cell's input, or to twice as many."""
    channels = builder.shape(entry)[0] * (2 if reduces else 1)
    ends = [outputs[node] for node in cell.loose_ends()]
    x = builder.add(f"{name}.concat", Concat(), *ends) if len(ends) > 1 else ends[0]
    return same_conv(builder, x, f"{name}.project", channels, (1, 1))
