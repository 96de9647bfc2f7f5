"""The network that holds every architecture of a width space, and slim networks cut from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.errors import ConfigError
from autodl.networks.layers import make_layer
from autodl.networks.network import PlanNetwork, attach
from autodl.plans.layers import BatchNorm, Conv, Linear
from autodl.plans.plan import Record
from autodl.spaces.width.cost import Axis, is_shortcut
from autodl.spaces.width.plan import with_outputs
from autodl.spaces.width.space import WidthSpace
from autodl.supernets.width.affine_sharing import (
    AffineConv,
    AffineLinear,
    ChannelAxis,
    Pair,
    PairNorm,
    PrivateConv,
    Projection,
    Sharing,
)

Choices = Sequence[int] | NDArray[np.int64]


def meta_widths(space: WidthSpace, widest: int, meta_width: int | None) -> tuple[int, ...]:
    """Meta channels of every decision.

    Args:
        widest: the widest candidate of the first stage.
        meta_width: meta channels of the first stage; other stages keep the proportion. None takes
            the sum of the candidates, the least for which nothing need be shared.

    Raises:
        ConfigError: a meta width below a candidate.
    """
    if meta_width is not None and meta_width < widest:
        raise ConfigError(
            f"Supernet.meta_width {meta_width} is below the candidate {widest} of Width.candidates;"
            " raise it, or leave it out"
        )
    return tuple(
        sum(widths)
        if meta_width is None or len(widths) == 1
        else max(round(meta_width * widths[-1] / widest), widths[-1])
        for widths in space.candidates
    )


class Supernet(nn.Layer):
    """Computes any architecture of a space with shared weights.

    Its layers sit at the paths of the plan in which all shortcuts are there. Shortcuts have a
    convolution of their own for each pair of candidates, and batch-norms statistics of their own.

    Args:
        space: what it holds.
        sharing: how the projections start.
        meta: meta channels of every decision.
        seed: draws weights and noise.
    """

    def __init__(
        self,
        space: WidthSpace,
        sharing: Sharing,
        meta: Sequence[int],
        seed: int,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self.space = space
        plan, self._axes = space.general
        self._records = plan.records
        self._last_use = {i: step for step, r in enumerate(plan.records) for i in r.inputs}
        self._norm_pairs: dict[int, int] = {}  # norms whose statistics are those of a convolution
        self.norms: list[PairNorm] = []
        rng = np.random.default_rng((seed, 0))
        axes = [self._channel_axis(axis, meta) for axis in self._axes]
        for position, record in enumerate(plan.records[1:], start=1):
            layer = self._make(position, record, axes, sharing, rng, dtype)
            attach(self, record.name, layer)
            if isinstance(layer, PairNorm):
                self.norms.append(layer)
        self._steps = [
            (position, self.layer(record.name), record.inputs)
            for position, record in enumerate(plan.records[1:], start=1)
        ]

    def _channel_axis(self, axis: Axis, meta: Sequence[int]) -> ChannelAxis:
        if axis.decision is None:
            return ChannelAxis((axis.times,), axis.times, fixed=True)
        return ChannelAxis(self.space.candidates[axis.decision], meta[axis.decision], axis.times)

    def _make(
        self,
        position: int,
        record: Record,
        axes: Sequence[ChannelAxis],
        sharing: Sharing,
        rng: np.random.Generator,
        dtype: str,
    ) -> nn.Layer:
        layer, output = record.layer, axes[position]
        inner = axes[record.inputs[0]]
        if isinstance(layer, Conv):
            if is_shortcut(record.name):
                return PrivateConv(layer, output, inner, rng, dtype)
            return AffineConv(layer, output, inner, sharing, rng, dtype)
        if isinstance(layer, BatchNorm):
            before = self._records[record.inputs[0]]
            pairs = [(a, 0) for a in range(len(output.sizes))]
            if isinstance(before.layer, Conv):
                self._norm_pairs[position] = record.inputs[0]
                count = len(axes[before.inputs[0]].sizes)
                pairs = list(product(range(len(output.sizes)), range(count)))
                if before.layer.groups > 1:
                    pairs = [(a, b) for a, b in pairs if a == b]
            return PairNorm(layer, {pair: output.sizes[pair[0]] for pair in pairs}, dtype)
        if isinstance(layer, Linear):
            return AffineLinear(layer.out_features, inner, sharing, rng, dtype)
        return make_layer(layer)

    def layer(self, name: str) -> nn.Layer:
        """The layer of the record with this name."""
        found: nn.Layer = self
        for part in name.split("."):
            found = found._sub_layers[part]
        return found

    def pair(self, position: int, choices: Choices) -> Pair:
        """Which candidates of its output and of its input a record's layer works with."""
        position = self._norm_pairs.get(position, position)
        output = self._axes[position]
        if isinstance(self._records[position].layer, BatchNorm):
            return _choice(output, choices), 0
        inner = self._axes[self._records[position].inputs[0]]
        return _choice(output, choices), _choice(inner, choices)

    def forward(self, x: paddle.Tensor, choices: Choices) -> paddle.Tensor:
        """Logits ``[B, classes]`` of normalised pictures ``[B, 3, H, W]`` by one architecture."""
        values = {0: x}
        for position, layer, inputs in self._steps:
            arguments = [values[i] for i in inputs]
            if isinstance(layer, AffineConv | PrivateConv | PairNorm):
                values[position] = layer(arguments[0], self.pair(position, choices))
            elif isinstance(layer, AffineLinear):
                values[position] = layer(arguments[0], self.pair(position, choices)[1])
            else:
                values[position] = layer(*arguments)
            for i in inputs:
                if self._last_use[i] == position:
                    values.pop(i, None)
        return values[position]

    def pairs(self, choices: Choices) -> Iterator[tuple[nn.Layer, Pair]]:
        """Every layer in order, with the candidates that an architecture gives it."""
        for position, layer, _ in self._steps:
            yield layer, self.pair(position, choices)

    def projections(self) -> list[Projection]:
        """All of them, in the order of the layers."""
        return [layer for layer in self.sublayers() if isinstance(layer, Projection)]

    def shared_layers(self) -> list[AffineConv]:
        """The convolutions with meta kernels, in order."""
        return [layer for layer in self.sublayers() if isinstance(layer, AffineConv)]

    @contextmanager
    def norms_in(self, mode: str) -> Iterator[None]:
        """Let the batch-norms work in a mode of ``PairNorm`` within a block."""
        before = [norm.mode for norm in self.norms]
        for norm in self.norms:
            norm.mode = mode
        try:
            yield
        finally:
            for norm, was in zip(self.norms, before, strict=True):
                norm.mode = was

    @contextmanager
    def statistics_of(self, choices: Choices, batches: Iterable[paddle.Tensor]) -> Iterator[None]:
        """Evaluate an architecture, within a block, with statistics estimated anew for it.

        They are the means over the batches of each one's statistics; the old ones come back.
        """
        used = [(norm, pair) for norm, pair in self.pairs(choices) if isinstance(norm, PairNorm)]
        kept = [[value.clone() for value in norm.statistics(pair)] for norm, pair in used]
        momenta = [norm.momentum for norm, _ in used]
        try:
            with paddle.no_grad(), self.norms_in("train"):
                for number, batch in enumerate(batches):
                    for norm, _ in used:
                        norm.momentum = number / (number + 1)
                    self(batch, choices)
            with self.norms_in("eval"):
                yield
        finally:
            for (norm, pair), old, momentum in zip(used, kept, momenta, strict=True):
                norm.momentum = momentum
                for live, value in zip(norm.statistics(pair), old, strict=True):
                    live.set_value(value)

    def slim(self, choices: Choices) -> PlanNetwork:
        """The plain network of an architecture, with the projected weights and no meta weights.

        In evaluation mode it gives this network's outputs. It keeps the shortcuts that are there
        for other choices, also where the shape stays.
        """
        plan, axes = self.space.general
        outputs = {
            record.name: axis.widths(self.space.candidates)[_choice(axis, choices)]
            for record, axis in zip(plan.records, axes, strict=True)
        }
        network = PlanNetwork(with_outputs(plan, outputs))
        for position, layer, _ in self._steps:
            slim, pair = network.layer(self._records[position].name), self.pair(position, choices)
            if isinstance(layer, AffineConv | PrivateConv):
                slim.weight.set_value(layer.kernel(pair).detach())
                shift = layer.shift(pair) if isinstance(layer, AffineConv) else None
                if shift is not None:
                    slim.bias.set_value(shift.detach())
            elif isinstance(layer, PairNorm):
                mean, variance = layer.statistics(pair)
                slim._mean.set_value(mean)
                slim._variance.set_value(variance)
            elif isinstance(layer, AffineLinear):
                slim.weight.set_value(layer.matrix(pair[1]).detach())
                slim.bias.set_value(layer.bias.detach())
        return network


def _choice(axis: Axis, choices: Choices) -> int:
    return 0 if axis.decision is None else int(choices[axis.decision])
