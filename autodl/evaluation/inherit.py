"""Weights that a network takes over from another one of its space: elastic inheritance.

Layers of two networks belong together where their names in the plan are equal, so in mobile
networks first blocks by index, then layers by index; their channels belong together from the first
on. Nothing is transposed or permuted, and the state of the optimiser is not inherited.

Of cells the same rule makes a node inherit from the node of that number in the same cell of the
stack, whatever either reads: its convolutions where the operations have parts of the same name
(``conv_3x3`` and ``conv_5x5`` both have ``conv``), its batch-norm, and its 1x1 ``squeeze`` if both
nodes read the cell's input; besides the stem, each cell's projection (and squeeze, where its nodes
share it), and the head. A node with a kernel of another size begins anew in all of its parts, its
squeeze and its batch-norm too.

Source: Fang et al., EAT-NAS, arXiv:1901.05884, the sharing in width and depth. What becomes of a
kernel of another size it does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a child starts from.

    ``weights`` has every array of the child; ``tensors`` counts those with values of the parent,
    ``fraction`` is the part of all the child's values that are the parent's, 0 to 1.
    """

    weights: dict[str, NDArray[Any]]
    tensors: int
    fraction: float


def inherit_weights(parent: Arrays, own: Arrays, *, resize_kernels: bool = False) -> Inheritance:
    """Give a child its parent's values where their layers overlap, and leave it its own elsewhere.

    Arrays of the same name overlap from index 0 up to the smaller size of every axis: output and
    input channels of convolutions (``[out, in, height, width]``, ``[out, 1, ...]`` of depthwise
    ones) and of linear layers (``[in, out]``), channels of batch-norms with their running
    statistics. So an expansion of 3 and one of 6 share the hidden channels of the smaller.

    A kernel of another size is left as the child's own, along with all that stands beside it under
    the same name, which is its batch-norm: that has the statistics of what is not there any more.

    Args:
        parent, own: arrays by the name of their layer in the plan and their role in it, as in
            ``block0.layer1.mb.expand.conv.weight``; neither is changed.
        resize_kernels: cut a larger kernel of the parent about its centre, pad a smaller one with
            zeros, instead.
    """
    redrawn = {
        _layer(name)
        for name, array in own.items()
        if not resize_kernels and name in parent and _kernel(array) != _kernel(parent[name])
    }
    weights, tensors, inherited = {}, 0, 0
    for name, array in own.items():
        weights[name] = array.copy()
        giver = parent.get(name)
        if giver is None or giver.ndim != array.ndim or _layer(name) in redrawn:
            continue
        inherited += _copy(giver, weights[name])
        tensors += 1
    values = sum(array.size for array in own.values())
    return Inheritance(weights, tensors, inherited / values if values else 0.0)


def _layer(name: str) -> str:
    """What stands around a layer: ``block0.layer1.mb.expand`` of ``....expand.conv.weight``."""
    return name.rpartition(".")[0].rpartition(".")[0]


def _kernel(array: NDArray[Any]) -> tuple[int, ...]:
    """Height and width of a convolution's kernel; empty for anything else."""
    return array.shape[2:]


def _copy(giver: NDArray[Any], taker: NDArray[Any]) -> int:
    """Copy the overlap in place; how many values it has."""
    sizes = [min(pair) for pair in zip(giver.shape, taker.shape, strict=True)]
    channels = tuple(slice(size) for size in sizes[:2])
    taker[channels] = np.where(_is_padded(giver, taker), 0, taker[channels])
    source = (*channels, *map(_centre, giver.shape[2:], sizes[2:]))
    target = (*channels, *map(_centre, taker.shape[2:], sizes[2:]))
    taker[target] = giver[source]
    return int(np.prod(sizes))


def _is_padded(giver: NDArray[Any], taker: NDArray[Any]) -> bool:
    return any(g < t for g, t in zip(_kernel(giver), _kernel(taker), strict=True))


def _centre(whole: int, part: int) -> slice:
    start = (whole - part) // 2
    return slice(start, start + part)
