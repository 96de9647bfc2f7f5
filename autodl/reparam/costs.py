"""What the training form of a plan's network costs, from the plan alone.

The branches of every block are listed as kinds of layer, which count themselves, so networks of
any size are counted without their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from autodl.errors import lookup
from autodl.networks.costs import Costs
from autodl.plans.fused import absorbed_norms
from autodl.plans.layers import BatchNorm, Conv, Layer, Pair, Shape
from autodl.plans.plan import Plan
from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.geometry import ConvGeometry, short_padding
from autodl.reparam.replacement import BLOCKS
from autodl.reparam.repvgg import RepVGGBlock

Branches = Iterator[tuple[Layer, Shape]]  # layers, and the shapes of their outputs


def training_costs(plan: Plan, block: str) -> Costs:
    """Costs of a plan's network once ``replace_convolutions(network, block)`` has been there.

    With the block's default options.

    Args:
        block: ``acb``, ``dbb`` or ``repvgg``.

    Raises:
        UnknownNameError: no block has this name.
    """
    kind = lookup(BLOCKS, block, "block")
    norms = absorbed_norms(plan)
    parameters = macs = 0
    taken = set()
    for position, record in enumerate(plan.records):
        layers: Branches = iter([(record.layer, record.shape)])
        if isinstance(record.layer, Conv) and _suits(record.layer, kind):
            before = plan.records[record.inputs[0]].shape
            layers = _BRANCHES[kind](record.layer, before, record.shape)
            taken.add(norms.get(position))
        elif position in taken:
            continue  # a batch-norm that has become part of a block
        for layer, shape in layers:
            parameters += layer.parameters
            macs += layer.macs(shape)
    return Costs(parameters, macs)


def _suits(conv: Conv, kind: type[MultiBranchConv2D]) -> bool:
    try:
        geometry = ConvGeometry.read(
            conv.in_channels,
            conv.out_channels,
            conv.kernel,
            conv.stride,
            short_padding(conv.padding),
            conv.dilation,
            conv.groups,
        )
        kind.check(geometry)
    except ReparameterisationError:
        return False
    return not kind.suits(geometry)


def _window(conv: Conv, inputs: int, outputs: int, kernel: Pair, shape: Shape) -> Branches:
    """A convolution of the block's groups with its batch-norm; ``shape`` holds its map."""
    layer = Conv(inputs, outputs, kernel, groups=conv.groups, bias=False)
    yield layer, (outputs, *shape[1:])
    yield BatchNorm(outputs), (outputs, *shape[1:])


def _asymmetric(conv: Conv, before: Shape, after: Shape) -> Branches:
    height, width = conv.kernel
    for kernel in ((height, width), (height, 1), (1, width)):
        yield from _window(conv, conv.in_channels, conv.out_channels, kernel, after)


def _diverse(conv: Conv, before: Shape, after: Shape) -> Branches:
    """The 1x1 convolutions that stand first in their branch see the map of the input."""
    inputs, outputs = conv.in_channels, conv.out_channels
    depthwise = conv.groups == inputs == outputs
    inner = 2 * inputs if depthwise else inputs
    yield from _window(conv, inputs, outputs, conv.kernel, after)
    yield from _window(conv, inputs, inner, (1, 1), before)
    yield from _window(conv, inner, outputs, conv.kernel, after)
    if not depthwise:
        yield from _window(conv, inputs, outputs, (1, 1), after)
        yield from _window(conv, inputs, outputs, (1, 1), before)
    yield BatchNorm(outputs), after  # behind the average


def _repvgg(conv: Conv, before: Shape, after: Shape) -> Branches:
    for kernel in (conv.kernel, (1, 1)):
        yield from _window(conv, conv.in_channels, conv.out_channels, kernel, after)
    if before == after and conv.stride == (1, 1):
        yield BatchNorm(conv.out_channels), after


_BRANCHES: Mapping[type[MultiBranchConv2D], Callable[[Conv, Shape, Shape], Branches]] = {
    AsymmetricConvBlock: _asymmetric,
    DiverseBranchBlock: _diverse,
    RepVGGBlock: _repvgg,
}
