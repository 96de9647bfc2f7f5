"""One network with the layers of all architectures of a space, which computes one at a time.

Every value of every decision has blocks of its own, weights and batch-norms; an architecture is
computed by the layers that its plan names, and nothing else is touched. Batch-norms neither scale
nor shift, as the source has it: their scales are 1 and their shifts 0, and are not trained.

Source: Guo et al., Single Path One-Shot Neural Architecture Search, ECCV 2020 (arXiv:1904.00420).
"""

from __future__ import annotations

from math import prod

import numpy as np
import paddle
from paddle import nn

from autodl.networks.layers import make_layer, trainable
from autodl.networks.network import PlanNetwork, attach
from autodl.plans.layers import Layer
from autodl.plans.plan import Record
from autodl.spaces.space import Coded, Integers
from autodl.spaces.subspace import Subspace
from autodl.supernets.single_path.blocks import MakePlan, find_blocks
from autodl.trial import Architecture


class SinglePathNetwork(nn.Layer):
    """All layers of a space; ``network(x, row)`` is the architecture of a row.

    Args:
        space: whose plans have a block for each value of each decision.
        make_plan: architecture -> plan.
        seed: draws the first weights; None takes what Paddle's global generator gives next.

    Raises:
        ConfigError: the plans are not made of such blocks.
    """

    def __init__(
        self, space: Coded[Architecture], make_plan: MakePlan, seed: int | None = None
    ) -> None:
        super().__init__()
        if seed is not None:
            paddle.seed(seed)
        self.space, self.make_plan = space, make_plan
        self.left = Subspace.all_of(space)  # what is trained; shrinking takes values away
        self.blocks = find_blocks(space, make_plan)
        self._held: dict[str, nn.Layer] = {}
        self._idle: dict[Layer, nn.Layer] = {}  # without weights: one of a kind is enough
        start = self.first_row()
        for record in self.blocks.shared:
            self._hold(record, start)
        for decision, variants in enumerate(self.blocks.chosen):
            for value, records in enumerate(variants):
                row = start.copy()
                row[decision] = value
                for record in records:
                    self._hold(record, row)

    def _hold(self, record: Record, row: Integers) -> None:
        if not record.layer.parameters:
            return
        key, layer = self.blocks.key(record.name, row), make_layer(record.layer)
        attach(self, key, layer)
        self._held[key] = layer
        if isinstance(layer, nn.BatchNorm2D):
            layer.weight.stop_gradient = layer.bias.stop_gradient = True

    def first_row(self) -> Integers:
        """The row of zeros, of which there is one in every space: int64 ``[decisions]``."""
        return np.zeros(len(self.space.sizes), np.int64)

    @property
    def architectures(self) -> int:
        """How many rows the space has."""
        return prod(self.space.sizes)

    @property
    def trained_parameters(self) -> int:
        """Weights of all layers; scales and shifts of batch-norms are constants."""
        return sum(parameter.size for parameter in trainable(self))

    def layer(self, record: Record, row: Integers) -> nn.Layer:
        """The layer that computes a record of the plan of a row."""
        if record.layer.parameters:
            return self._held[self.blocks.key(record.name, row)]
        if record.layer not in self._idle:
            made = make_layer(record.layer)
            (made.train if self.training else made.eval)()
            self.add_sublayer(f"idle{len(self._idle)}", made)
            self._idle[record.layer] = made
        return self._idle[record.layer]

    def forward(self, x: paddle.Tensor, row: Integers) -> paddle.Tensor:
        """Logits ``[B, classes]`` that the architecture of a row gives ``[B, 3, H, W]``."""
        values = [x]
        for record in self.make_plan(self.space.decode(row)).records[1:]:
            values.append(self.layer(record, row)(*(values[i] for i in record.inputs)))
        return values[-1]

    def alone(self, row: Integers) -> PlanNetwork:
        """The network of one architecture with a copy of its weights and statistics."""
        network = PlanNetwork(self.make_plan(self.space.decode(row)))
        for record in network.plan.records[1:]:
            own = network.layer(record.name).state_dict()
            for name, value in self.layer(record, row).state_dict().items():
                own[name].set_value(value)
        network.train() if self.training else network.eval()
        return network
