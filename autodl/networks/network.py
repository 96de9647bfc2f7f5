"""A network that computes a plan, layer by layer."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.networks.layers import make_layer
from autodl.plans.plan import AUXILIARY, Plan


class PlanNetwork(nn.Layer):
    """The Paddle network of a plan; each layer sits at the path its record is named by.

    Args:
        plan: what to build.
        seed: draws the initial weights; None takes what Paddle's global generator gives next.
        auxiliary: build the plan's auxiliary classifier as well, which it must have then.
    """

    def __init__(self, plan: Plan, seed: int | None = None, *, auxiliary: bool = False) -> None:
        super().__init__()
        if seed is not None:
            paddle.seed(seed)
        self.plan = plan
        self._steps: list[tuple[int, str, tuple[int, ...]]] = []
        last_use = {i: step for step, record in enumerate(plan.records) for i in record.inputs}
        self._last_use = last_use
        for position, record in enumerate(plan.records[1:], start=1):
            attach(self, record.name, make_layer(record.layer))
            self._steps.append((position, record.name, record.inputs))
        if auxiliary:
            if plan.auxiliary is None:
                raise ValueError("the plan has no auxiliary classifier")
            # behind all others, so that those start from the same weights as without it
            self.add_sublayer(AUXILIARY, PlanNetwork(plan.auxiliary.plan))

    @property
    def auxiliary(self) -> PlanNetwork | None:
        """The auxiliary classifier, if it was built."""
        return None if self.plan.auxiliary is None else self._sub_layers.get(AUXILIARY)

    def drop_auxiliary(self) -> None:
        """Go on without the auxiliary classifier, which belongs to the training."""
        if self.auxiliary is not None:
            del self._sub_layers[AUXILIARY]

    def layer(self, name: str) -> nn.Layer:
        """The layer of the record with this name."""
        found: nn.Layer = self
        for part in name.split("."):
            found = found._sub_layers[part]  # not getattr: a part may be called 'training'
        return found

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Logits ``[B, classes]`` of normalised pictures ``[B, 3, H, W]``."""
        logits, _ = self._compute(x, -1)
        return logits

    def with_auxiliary(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """The same, and the logits of the auxiliary classifier, which must have been built."""
        classifier = self.auxiliary
        if self.plan.auxiliary is None or classifier is None:
            raise ValueError("the network was built without an auxiliary classifier")
        logits, features = self._compute(x, self.plan.auxiliary.source)
        return logits, classifier(features)

    # Nothing here depends on values. Without this, exporting would rewrite the code of all layers.
    @paddle.jit.not_to_static  # type: ignore[untyped-decorator]
    def _compute(self, x: paddle.Tensor, kept: int) -> tuple[paddle.Tensor, paddle.Tensor | None]:
        """The output, and what the layer at position ``kept`` gave; -1 for none."""
        values = {0: x}
        for position, name, inputs in self._steps:
            values[position] = self.layer(name)(*(values[i] for i in inputs))
            for i in inputs:  # let go of what nobody reads any more
                if self._last_use[i] == position and i != kept:
                    values.pop(i, None)
        return values[position], values.get(kept)


def attach(root: nn.Layer, path: str, layer: nn.Layer) -> None:
    """Add ``layer`` at a dotted path, with plain containers on the way."""
    *parents, leaf = path.split(".")
    for part in parents:
        if part not in root._sub_layers:
            root.add_sublayer(part, nn.Layer())
        root = root._sub_layers[part]
    root.add_sublayer(leaf, layer)
