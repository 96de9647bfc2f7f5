"""The network of a cell with operations on its edges, as a plan (NAS-Bench-201).

A stem of 3x3, three stages of equal cells with a residual block between them that halves the maps
and doubles the width, then a batch-norm, a ReLU, the pooled features and the classifier. A
convolution on an edge is ReLU, convolution and batch-norm. Of a node that nothing but ``none``
leads to, zeros go on.

A mixture of cells has all operations on every edge, side by side; batch-norms in its cells neither
scale nor shift.
"""

from __future__ import annotations

from autodl.errors import ConfigError
from autodl.plans.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Linear,
    Relu,
    Times,
)
from autodl.plans.mixture import Mix
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv_norm, without_scales
from autodl.spaces.edge_cell.architecture import EDGES, NODES, TABLE, EdgeCell, EdgeMixture

STAGES = 3
_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def edge_cell_plan(
    architecture: EdgeCell | EdgeMixture,
    *,
    classes: int = 10,
    image_size: int = 32,
    width: int = 16,
    cells: int = 5,
) -> Plan:
    """Spell out the layers of a cell's network.

    Args:
        image_size: height and width of the RGB input.
        width: channels of the stem and of the first stage.
        cells: in each of the three stages.

    Raises:
        ConfigError: an argument is below 1, or the architecture is of another space.

    Source: Dong and Yang, NAS-Bench-201, ICLR 2020: width 16, 5 cells.
    """
    if not isinstance(architecture, EdgeCell | EdgeMixture):
        raise ConfigError(
            "EdgeCellNetwork is made of cells with operations on edges, got a"
            f" {type(architecture).__name__}; name the Network of the architecture's own space"
        )
    if min(classes, image_size, width, cells) < 1:
        raise ConfigError(
            "classes, image_size, Network.width and Network.cells must be at least 1, got"
            f" {classes}, {image_size}, {width} and {cells}"
        )
    builder = PlanBuilder((3, image_size, image_size))
    x = conv_norm(builder, 0, "stem", width, 3)
    for stage in range(STAGES):
        if stage:
            x = _reduce(builder, x, f"stage{stage}.reduction")
        for number in range(cells):
            name = f"stage{stage}.cell{number}"
            if isinstance(architecture, EdgeMixture):
                x = _mixed_cell(builder, x, name, architecture.operations)
            else:
                x = _cell(builder, x, name, architecture)
    x = builder.add("head.norm", BatchNorm(builder.shape(x)[0], epsilon=1e-5), x)
    x = builder.add("head.relu", Relu(), x)
    x = builder.add("head.pool", GlobalAvgPool(), x)
    builder.add("head.classifier", Linear(builder.shape(x)[0], classes), x)
    plan = builder.finish()
    return without_scales(plan) if isinstance(architecture, EdgeMixture) else plan


def _mixed_cell(builder: PlanBuilder, entry: int, name: str, operations: tuple[str, ...]) -> int:
    nodes = [entry]
    for node in range(1, NODES):
        ends = [
            _mixed_edge(builder, nodes[source], f"{name}.edge{source}_{node}", row, operations)
            for row, (source, end) in enumerate(EDGES)
            if end == node
        ]
        nodes.append(builder.add(f"{name}.node{node}", Add(), *ends))
    return nodes[-1]


def _mixed_edge(
    builder: PlanBuilder, x: int, name: str, row: int, operations: tuple[str, ...]
) -> int:
    columns = tuple(place for place, one in enumerate(operations) if one != "none")
    ends = [
        _edge(builder, x, f"{name}.{operations[place]}", operations[place]) for place in columns
    ]
    return builder.add(f"{name}.mix", Mix(TABLE, row, columns), *ends)


def _cell(builder: PlanBuilder, entry: int, name: str, cell: EdgeCell) -> int:
    nodes = [entry]
    for node in range(1, NODES):
        terms = [
            _edge(builder, nodes[source], f"{name}.edge{source}_{node}", operation)
            for source, operation in cell.edges_into(node)
            if operation != "none"
        ]
        if not terms:
            nodes.append(builder.add(f"{name}.node{node}", Times(0.0), entry))
        elif len(terms) == 1:
            nodes.append(terms[0])
        else:
            nodes.append(builder.add(f"{name}.node{node}", Add(), *terms))
    return nodes[-1]


def _edge(builder: PlanBuilder, x: int, name: str, operation: str) -> int:
    if operation == "skip_connect":
        return x
    if operation == "avg_pool_3x3":
        return builder.add(f"{name}.pool", AvgPool((3, 3), (1, 1), (1, 1, 1, 1)), x)
    return _relu_conv_norm(builder, x, name, builder.shape(x)[0], _KERNELS[operation])


def _relu_conv_norm(
    builder: PlanBuilder, x: int, name: str, channels: int, size: int, *, stride: int = 1
) -> int:
    x = builder.add(f"{name}.relu", Relu(), x)
    return conv_norm(builder, x, name, channels, size, stride=stride)


def _reduce(builder: PlanBuilder, entry: int, name: str) -> int:
    """Append the residual block; its shortcut is a mean of 2x2 and a 1x1 convolution alone."""
    inputs, height, width = builder.shape(entry)
    x = _relu_conv_norm(builder, entry, f"{name}.first", 2 * inputs, 3, stride=2)
    x = _relu_conv_norm(builder, x, f"{name}.second", 2 * inputs, 3)
    odd = (0, height % 2, 0, width % 2)  # rounded up, as the convolution beside it does
    bypass = builder.add(f"{name}.shortcut.pool", AvgPool((2, 2), (2, 2), odd), entry)
    layer = Conv(inputs, 2 * inputs, (1, 1), bias=False)
    bypass = builder.add(f"{name}.shortcut.conv", layer, bypass)
    return builder.add(f"{name}.sum", Add(), bypass, x)
