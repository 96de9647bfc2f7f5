"""Networks with other channel numbers, as plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autodl.errors import ConfigError
from autodl.plans.layers import BatchNorm, Conv, Layer, Linear, Shape
from autodl.plans.plan import Plan, PlanBuilder
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.classic.mobilenet_v2 import mobilenet_v2_plan
from autodl.spaces.classic.resnet_plan import Shortcuts, cifar_resnet_plan, resnet18_plan
from autodl.spaces.operations import same_conv
from autodl.spaces.width.architecture import CELLS, WidthArchitecture


def width_plan(
    architecture: WidthArchitecture,
    *,
    classes: int = 10,
    image_size: int = 32,
    shortcuts: Shortcuts | None = None,
    cells_per_stage: int = 3,
    stages: int = 3,
    dropout: float = 0.0,
    stem: str = "plain",
    shortcut: bool = False,
    entry: str = "own",
) -> Plan:
    """Spell out the plain network with these channel numbers.

    Args:
        shortcuts: of a ResNet; None takes ``pool`` for small pictures, and ``norm`` for ResNet-18,
            which is what its published costs count. The authors of APS retrain both with
            ``pool_norm``: a pool where the stride is 2, a batch-norm where it is 1.
        cells_per_stage, stages: of the network of cells.
        dropout: before the classifier; the ResNets have none.
        stem, shortcut, entry: of the network of cells, see ``cell_plan``. The first convolution of
            a stem of two has half of the stem's number; a shortcut between unlike numbers is a
            1x1 convolution, as around a reduction cell.

    Raises:
        ConfigError: the options do not fit the architecture.
    """
    if not isinstance(architecture, WidthArchitecture):
        raise ConfigError(
            f"the network of channel numbers needs widths, got a {type(architecture).__name__}"
        )
    network, channels = architecture.network, architecture.channels
    sizes: dict[str, Any] = {"classes": classes, "image_size": image_size}
    if network == "mobilenet_v2":
        return mobilenet_v2_plan(channels, dropout=dropout, **sizes)
    if network == CELLS and architecture.cells is not None:
        kinds: dict[str, Any] = {"stem": stem, "shortcut": shortcut, "entry": entry}
        template = cell_template(
            architecture.cells, cells_per_stage, stages, dropout, **sizes, **kinds
        )
        return _widened_cells(template, channels, cells_per_stage * stages)
    if network == "resnet18":
        return resnet18_plan(channels, shortcuts=shortcuts or "norm", **sizes)
    return cifar_resnet_plan(channels, shortcuts=shortcuts or "pool", **sizes)


_TEMPLATE_WIDTH, _TEMPLATE_BOTTLENECK = 64, 4


def cell_template(
    cells: CellPair,
    cells_per_stage: int,
    stages: int,
    dropout: float = 0.0,
    *,
    classes: int = 10,
    image_size: int = 32,
    stem: str = "plain",
    shortcut: bool = False,
    entry: str = "own",
) -> Plan:
    """The network of a cell pair with AutoDL Design's proportions, from which others are made."""
    return cell_plan(
        cells,
        width=_TEMPLATE_WIDTH,
        cells_per_stage=cells_per_stage,
        stages=stages,
        bottleneck=_TEMPLATE_BOTTLENECK,
        classes=classes,
        image_size=image_size,
        dropout=dropout,
        stem=stem,
        shortcut=shortcut,
        entry=entry,
    )


def cell_factors(cells_per_stage: int, stages: int) -> tuple[float, ...]:
    """Channel numbers of the template in multiples of its width: stem, then two for each cell."""
    factors, given = [1.0], 1.0
    for number in range(cells_per_stage * stages):
        inner = given / _TEMPLATE_BOTTLENECK
        given *= 2.0 if number and number % cells_per_stage == 0 else 1.0
        factors += [inner, given]
    return tuple(factors)


def _widened_cells(template: Plan, channels: Sequence[int], cells: int) -> Plan:
    """The template with other numbers; what works on a multiple of a number keeps the multiple."""
    if len(channels) != 1 + 2 * cells:
        raise ConfigError(
            f"a network of {cells} cells has {1 + 2 * cells} channel numbers, got {len(channels)};"
            " check cells_per_stage and stages"
        )
    outputs: dict[str, int] = {}
    number, inner = -1, 0  # of the cell, and its nodes' channels in the template
    seen = ""
    for record in template.records:
        if not isinstance(record.layer, Conv):
            continue
        cell = ".".join(record.name.split(".")[:2])
        if record.name in ("stem", "stem.second"):
            outputs[record.name] = channels[0]
            continue
        if record.name == "stem.first":
            outputs[record.name] = max(channels[0] // 2, 1)
            continue
        if cell != seen:
            seen, number, inner = cell, number + 1, record.layer.out_channels
        if record.name in (f"{cell}.project", f"{cell}.shortcut.conv"):
            outputs[record.name] = channels[2 + 2 * number]
        else:
            outputs[record.name] = record.layer.out_channels // inner * channels[1 + 2 * number]
    return with_outputs(template, outputs, fitted=".shortcut.sum")


def with_outputs(plan: Plan, outputs: Mapping[str, int], *, fitted: str = "") -> Plan:
    """A plan whose convolutions have these output channels; all other layers follow.

    A convolution that is not named keeps its own; a depthwise one follows its input.

    Args:
        fitted: sums whose name ends so have a 1x1 convolution, ``...conv`` in place of ``...sum``,
            for an input of other channels than the first one's.

    Raises:
        ValueError: inputs that are added no longer have one shape.
    """
    builder = PlanBuilder(plan.input_shape)
    at = [0]  # where the records of the plan are now
    for record in plan.records[1:]:
        inputs = [at[place] for place in record.inputs]
        shape = builder.shape(inputs[0])
        if fitted and record.name.endswith(fitted) and builder.shape(inputs[1])[0] != shape[0]:
            name = f"{record.name.removesuffix('sum')}conv"
            inputs[1] = same_conv(builder, inputs[1], name, shape[0], (1, 1))
        at.append(
            builder.add(record.name, _refit(record.layer, shape, outputs.get(record.name)), *inputs)
        )
    return builder.finish()


def _refit(layer: Layer, shape: Shape, output: int | None) -> Layer:
    if isinstance(layer, Conv):
        if layer.groups > 1:
            return replace(layer, in_channels=shape[0], out_channels=shape[0], groups=shape[0])
        return replace(layer, in_channels=shape[0], out_channels=output or layer.out_channels)
    if isinstance(layer, BatchNorm):
        return replace(layer, channels=shape[0])
    if isinstance(layer, Linear):
        return replace(layer, in_features=shape[0])
    return layer
