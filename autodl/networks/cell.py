"""The cell networks of AutoDL Design in Paddle, and the original's parameters in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from paddle import nn

from autodl.errors import CheckpointError
from autodl.networks.network import PlanNetwork
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.cell.plan import cell_plan


def build_network(
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
) -> PlanNetwork:
    """Build the network of a cell pair; the arguments are those of ``cell_plan``.

    Weights are drawn from a normal of deviation sqrt(2 / fan-in) cut at two deviations, from
    Paddle's global generator; biases start at zero.
    """
    plan = cell_plan(
        architecture,
        width=width,
        cells_per_stage=cells_per_stage,
        stages=stages,
        classes=classes,
        bottleneck=bottleneck,
        image_size=image_size,
        dropout=dropout,
        stem=stem,
        shortcut=shortcut,
        entry=entry,
    )
    return PlanNetwork(plan)


def load_original_parameters(network: PlanNetwork, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    """Give a network the parameters of the original system, listed in its order of use.

    Order: a convolution's weight then bias; a batch-norm's shift, mean, scale, variance; the
    classifier's weight ``[in, out]`` then bias. Nothing is changed unless everything fits.

    Raises:
        CheckpointError: too few or too many arrays, or one of another shape.
    """
    slots: list[tuple[str, paddle.Tensor]] = []
    for record in network.plan.records[1:]:
        layer = network.layer(record.name)
        if isinstance(layer, nn.BatchNorm2D):
            tensors = [layer.bias, layer._mean, layer.weight, layer._variance]
        elif isinstance(layer, nn.Conv2D | nn.Linear):
            tensors = [layer.weight, layer.bias]
        else:
            continue
        slots += [(record.name, tensor) for tensor in tensors]
    if len(slots) != len(arrays):
        raise CheckpointError(
            f"the network has {len(slots)} parameter arrays, the original's file {len(arrays)};"
            " check tokens, adjvec, width and the number of cells and stages"
        )
    for position, ((name, tensor), array) in enumerate(zip(slots, arrays, strict=True)):
        if list(tensor.shape) != list(array.shape):
            raise CheckpointError(
                f"array {position} has shape {list(array.shape)}, but {name} needs {tensor.shape}"
            )
    for (_, tensor), array in zip(slots, arrays, strict=True):
        tensor.set_value(paddle.to_tensor(np.asarray(array, "float32")))
