"""The projections of a supernet in motion, and what is reported of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from autodl.supernets.width.affine_sharing import AffineConv, ChannelAxis, Projection
from autodl.supernets.width.annealing import AxisShape, Descent, LayerShape
from autodl.supernets.width.projections import (
    Matrix,
    SharingLevel,
    descend,
    sharing,
    smallest_singular_value,
)
from autodl.supernets.width.supernet import Supernet


class ProjectionDescent:
    """Moves all projections of a supernet by their orthogonality loss; see ``descend``.

    Projections of one shape move together, in NumPy: no picture takes part. With ``let_in``, the
    gradients that the cross-entropy left on them take part as well.
    """

    def __init__(self, network: Supernet, descent: Descent, rate: float) -> None:
        self._descent, self._rate = descent, rate
        groups: dict[tuple[int, ...], list[Projection]] = {}
        for projection in network.projections():
            groups.setdefault(tuple(projection.matrix.shape), []).append(projection)
        self._groups = list(groups.values())
        self._stacks = [self._read(group) for group in self._groups]
        self._speeds = [np.zeros_like(stack) for stack in self._stacks]

    @staticmethod
    def _read(group: Sequence[Projection]) -> Matrix:
        return np.stack([projection.matrix.numpy() for projection in group])

    def let_in(self) -> None:
        """Let the cross-entropy's gradients reach the projections from now on."""
        for group in self._groups:
            for projection in group:
                projection.matrix.stop_gradient = False

    def step(self) -> None:
        """One update of all of them."""
        for index, group in enumerate(self._groups):
            self._stacks[index], self._speeds[index] = descend(
                self._stacks[index],
                self._speeds[index],
                rate=self._rate,
                momentum=self._descent.momentum,
                weight=self._descent.weight,
                kind=self._descent.kind,
                also=_gradients(group),
                decay=self._descent.decay,
            )
            for projection, matrix in zip(group, self._stacks[index], strict=True):
                projection.matrix.set_value(paddle.to_tensor(matrix))
        self.forget()

    def forget(self) -> None:
        """Drop the gradients of an iteration in which the projections do not move."""
        for group in self._groups:
            for projection in group:
                projection.matrix.clear_gradient(set_to_zero=False)

    def state(self) -> dict[str, Any]:
        """The velocities; the projections themselves are the network's."""
        return {"speeds": list(self._speeds)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with a network whose projections are restored, from what ``state()`` gave."""
        self._stacks = [self._read(group) for group in self._groups]
        self._speeds = list(state["speeds"])


def _gradients(group: Sequence[Projection]) -> Matrix | None:
    found = [projection.matrix.grad for projection in group]
    if all(gradient is None for gradient in found):
        return None
    return np.stack(
        [
            np.zeros(projection.matrix.shape, np.float32) if g is None else g.numpy()
            for projection, g in zip(group, found, strict=True)
        ]
    )


@dataclass(frozen=True, slots=True)
class SharingReport:
    """Phi summed over the layers, its parts, and the rank guard over all projections.

    Of the stem the projection of the colours is not counted: three of them, always the same ones,
    would multiply its Phi by 3 and say nothing of sharing.
    """

    level: float
    output: float
    input: float
    smallest_singular_value: float


def report(network: Supernet) -> SharingReport:
    """Measure the projections of a supernet."""
    found = [_layer_sharing(layer) for layer in network.shared_layers()]
    return SharingReport(
        level=sum(one.level for one in found),
        output=sum(one.output for one in found),
        input=sum(one.input for one in found),
        smallest_singular_value=min(
            smallest_singular_value(projection.matrix.numpy(), projection.axis.sizes)
            for projection in network.projections()
        ),
    )


def _layer_sharing(layer: AffineConv) -> SharingLevel:
    return sharing(*_values(layer.output), *_values(layer.inner))


def _values(projection: Projection | None) -> tuple[Matrix, tuple[int, ...]]:
    if projection is None:  # one candidate that shares with none, whatever its size
        return np.ones((1, 1, 1)), (1,)
    return projection.matrix.numpy(), projection.axis.sizes


def layer_shapes(network: Supernet, *, per_pair: bool) -> list[LayerShape]:
    """What ``annealing.simulate`` needs to know of a supernet's layers."""

    def shape(projection: Projection | None) -> AxisShape | None:
        if projection is None:
            return None
        axis: ChannelAxis = projection.axis
        return AxisShape(axis.widths, axis.meta, axis.times)

    return [
        LayerShape(shape(layer.output), shape(layer.inner), per_pair)
        for layer in network.shared_layers()
    ]
