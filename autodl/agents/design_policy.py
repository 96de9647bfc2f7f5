"""The policy of AutoDL Design: every step reads the decision before it, and has its own head."""

from __future__ import annotations

import numpy as np
import paddle
from paddle.nn import initializer

from autodl.agents.decisions import Decisions, Floats
from autodl.agents.policy import Policy
from autodl.agents.walk import Features
from autodl.spaces.space import Integers


class DesignPolicy(Policy):
    """Two stacked LSTM layers with squashed logits; the first step reads zeros.

    Source: AutoDL Design (Baidu, 2019), whose cells are decided node by node: operation 0; then,
    for node 1 .. N-1, which earlier nodes it reads and its operation (``CellSpace.steps``).
    """

    def __init__(
        self,
        decisions: Decisions,
        *,
        hidden: int = 64,
        layers: int = 2,
        temperature: float = 5.0,
        squash: float = 2.5,
        head_deviation: float | None = None,
    ) -> None:
        super().__init__(
            decisions,
            hidden=hidden,
            layers=layers,
            own_heads=True,
            lstm_bias=0.0,
            squash=squash,
            temperature=temperature,
            head_deviation=head_deviation,
        )

    def add_features(self, uniform: initializer.Initializer) -> int:
        """No parameters; a one-hot choice, or a set's bits."""
        return self.decisions.input_size

    def inputs(self, rows: Integers) -> paddle.Tensor:
        """The decision before each step, ``[B, steps, D]``."""
        return paddle.to_tensor(self.decisions.inputs(rows))

    def features(self) -> Features:
        """The same, step by step."""
        return _DecisionBefore(self.decisions)


class _DecisionBefore:
    """A one-hot choice, or a set's bits, as ``Decisions.inputs`` has them."""

    def __init__(self, decisions: Decisions) -> None:
        self._steps, self._size = decisions.in_order, decisions.input_size

    def first(self, batch: int) -> Floats:
        return np.zeros((batch, self._size), np.float32)

    def after(self, step: int, rows: Integers) -> Floats:
        x, made = np.zeros((len(rows), self._size), np.float32), self._steps[step]
        decided = rows[:, made.positions]
        if made.is_set:
            x[:, : made.width] = decided
        else:
            x[np.arange(len(rows)), decided[:, 0]] = 1.0
        return x

    def keep(self, kept: Integers) -> None:
        """Nothing is remembered."""
