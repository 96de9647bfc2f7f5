"""A network that computes a plan, layer by layer."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.networks.layers import make_layer
from autodl.spaces.plan import Plan


class PlanNetwork(nn.Layer):
    """The Paddle network of a plan; each layer sits at the path its record is named by.

    Args:
        plan: what to build.
        seed: draws the initial weights; None takes what Paddle's global generator gives next.
    """

    def __init__(self, plan: Plan, seed: int | None = None) -> None:
        super().__init__()
        if seed is not None:
            paddle.seed(seed)
        self.plan = plan
        self._steps: list[tuple[int, str, tuple[int, ...]]] = []
        last_use = {i: step for step, record in enumerate(plan.records) for i in record.inputs}
        self._last_use = last_use
        for position, record in enumerate(plan.records[1:], start=1):
            _attach(self, record.name, make_layer(record.layer))
            self._steps.append((position, record.name, record.inputs))

    def layer(self, name: str) -> nn.Layer:
        """The layer of the record with this name."""
        found: nn.Layer = self
        for part in name.split("."):
            found = found._sub_layers[part]  # not getattr: a part may be called 'training'
        return found

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Logits ``[B, classes]`` of normalised pictures ``[B, 3, H, W]``."""
        values = {0: x}
        for position, name, inputs in self._steps:
            values[position] = self.layer(name)(*(values[i] for i in inputs))
            for i in inputs:  # let go of what nobody reads any more
                if self._last_use[i] == position:
                    values.pop(i, None)
        return values[position]


def _attach(root: nn.Layer, path: str, layer: nn.Layer) -> None:
    """Add ``layer`` at a dotted path, with plain containers on the way."""
    *parents, leaf = path.split(".")
    for part in parents:
        if part not in root._sub_layers:
            root.add_sublayer(part, nn.Layer())
        root = root._sub_layers[part]
    root.add_sublayer(leaf, layer)
