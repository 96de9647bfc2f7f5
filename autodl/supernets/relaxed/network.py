"""One network with all operations of a space on every edge, summed with a softmax's weights.

Source: Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019 (arXiv:1806.09055).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import nn

from autodl.errors import ConfigError
from autodl.networks.layers import make_layer, trainable
from autodl.networks.network import attach
from autodl.plans.mixture import Mix
from autodl.plans.signature import Signature
from autodl.spaces.plan_maker import plan_maker
from autodl.spaces.space import Relaxed
from autodl.supernets.single_path.blocks import MakePlan
from autodl.supernets.single_path.config import SupernetConfig
from autodl.trial import Architecture

_FIRST_STD = 1e-3  # of the logits
Weights = Mapping[str, NDArray[np.float64]]


class RelaxedNetwork(nn.Layer):
    """The network of a space's mixture.

    The logits are constants, so that no optimiser of the weights moves them, but where they are
    learned: see ``learning``.

    Args:
        space: whose mixture it is.
        make_plan: mixture -> plan.
        seed: draws the first weights, then the logits, from ``N(0, 0.001^2)``; None takes what
            Paddle's global generator gives next.
    """

    def __init__(
        self, space: Relaxed[Architecture], make_plan: MakePlan, seed: int | None = None
    ) -> None:
        super().__init__()
        if seed is not None:
            paddle.seed(seed)
        self.space, self.plan = space, make_plan(space.mixture)
        self._held: dict[str, nn.Layer] = {}
        for record in self.plan.records[1:]:
            self._held[record.name] = make_layer(record.layer)
            attach(self, record.name, self._held[record.name])
        self.logits: dict[str, paddle.Tensor] = {}
        for table in space.tables:
            logits = self.create_parameter(
                [len(table.edges), len(table.operations)],
                default_initializer=nn.initializer.Normal(std=_FIRST_STD),
            )
            logits.stop_gradient = True
            self.add_parameter(f"logits_{table.name}", logits)
            self.logits[table.name] = logits

    @property
    def architectures(self) -> int:
        """How many rows the space has."""
        return prod(self.space.sizes)

    @property
    def trained_parameters(self) -> int:
        """Weights of all layers; logits are not among them."""
        return sum(parameter.size for parameter in trainable(self))

    @contextmanager
    def learning(self) -> Iterator[list[paddle.Tensor]]:
        """The logits, which have gradients within the block."""
        logits = list(self.logits.values())
        for one in logits:
            one.stop_gradient = False
        try:
            yield logits
        finally:
            for one in logits:
                one.stop_gradient = True

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """The softmax of each table's rows: float64 ``[edges, operations]``."""
        found = {}
        for name, logits in self.logits.items():
            shifted = logits.numpy().astype(np.float64)
            grown = np.exp(shifted - shifted.max(axis=1, keepdims=True))
            found[name] = grown / grown.sum(axis=1, keepdims=True)
        return found

    def strongest(self) -> Architecture:
        """The architecture that the weights stand for now."""
        return self.space.strongest(self.weights())

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Logits ``[B, classes]`` of pictures ``[B, 3, H, W]``."""
        numbers = {name: _numbers(logits) for name, logits in self.logits.items()}
        values = [x]
        for record in self.plan.records[1:]:
            inputs, layer = (values[i] for i in record.inputs), record.layer
            if isinstance(layer, Mix):
                row = numbers[layer.table][layer.row]
                mixed = [row[column] for column in layer.columns]
                values.append(self._held[record.name](mixed, *inputs))
            else:
                values.append(self._held[record.name](*inputs))
        return values[-1]


def make_relaxed(config: SupernetConfig, signature: Signature) -> RelaxedNetwork:
    """The untrained network that a configuration describes.

    Raises:
        ConfigError: space, network and examples do not fit each other, or the space has no mixture.
    """
    space = config.space.factory()(**config.space.arguments())
    if not isinstance(space, Relaxed):
        raise ConfigError(
            f"Supernet.path Relaxed mixes the operations on the edges of a space, which"
            f" {config.space.name} has not; EdgeCellSpace and GenotypeSpace have"
        )
    return RelaxedNetwork(space, plan_maker(config.network, signature), config.general.seed)


def _numbers(logits: paddle.Tensor) -> list[list[paddle.Tensor]] | list[list[float]]:
    """Weights by rows and columns; plain numbers, which are multiplied by faster, of constants."""
    weights = F.softmax(logits, axis=1)
    if logits.stop_gradient:
        plain: list[list[float]] = weights.tolist()
        return plain
    return [row.unbind() for row in weights.unbind()]


@contextmanager
def statistics_kept(network: nn.Layer) -> Iterator[None]:
    """Within the block batch-norms use each batch's statistics, and keep none of them."""
    norms = [layer for layer in network.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    momenta = [norm._momentum for norm in norms]
    for norm in norms:
        norm._momentum = 1.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm._momentum = momentum
