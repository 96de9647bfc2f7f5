"""The policy: an LSTM that decides on an architecture, one operation or edge set at a step."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import nn
from paddle.nn import initializer

from autodl.agents.decisions import Decisions
from autodl.agents.parl_backend import Model
from autodl.agents.policy_sampling import PolicyParameters


class PolicyModel(Model):
    """Two stacked LSTM layers with a linear head of its own for every decision.

    Head outputs ``z`` become logits ``squash * tanh(z / temperature)``, which caps how sure the
    policy can become. Weights start in U(-0.1, 0.1), biases at 0, no forget bias. The heads of
    a kind are one parameter each, ``[decisions, hidden, outputs]``, so that an update touches
    a dozen tensors instead of a hundred. Source: AutoDL Design (Baidu, 2019).
    """

    def __init__(
        self,
        decisions: Decisions,
        *,
        hidden: int = 64,
        layers: int = 2,
        temperature: float = 5.0,
        squash: float = 2.5,
    ) -> None:
        super().__init__()
        self.decisions = decisions
        self.temperature = temperature
        self.squash = squash
        self.hidden = hidden
        weight, zero = initializer.Uniform(-0.1, 0.1), initializer.Constant(0.0)
        self.lstm = nn.LSTM(
            decisions.input_size,
            hidden,
            num_layers=layers,
            weight_ih_attr=weight,
            weight_hh_attr=weight,
            bias_ih_attr=paddle.ParamAttr(initializer=zero),
            bias_hh_attr=paddle.ParamAttr(initializer=zero),
        )
        self.token_weight = self.create_parameter(
            [decisions.tokens, hidden, decisions.choices], default_initializer=weight
        )
        self.token_bias = self.create_parameter(
            [decisions.tokens, 1, decisions.choices], default_initializer=zero
        )
        if decisions.rows:  # a cell of one node has no edges
            self.row_weight = self.create_parameter(
                [decisions.rows, hidden, decisions.nodes - 1], default_initializer=weight
            )
            self.row_bias = self.create_parameter(
                [decisions.rows, 1, decisions.nodes - 1], default_initializer=zero
            )
        self._token_steps = paddle.to_tensor(decisions.token_steps)
        self._row_steps = paddle.to_tensor(decisions.row_steps)

    def forward(
        self, tokens: np.ndarray, rows: np.ndarray
    ) -> tuple[paddle.Tensor, paddle.Tensor | None]:
        """Logits of every decision, each given the ones before it (teacher forcing).

        Args:
            tokens: int64 ``[B, tokens]``.
            rows: int64 ``[B, rows, nodes - 1]``, see ``Decisions.to_rows``.

        Returns:
            Token logits ``[B, tokens, choices]`` and edge logits ``[B, rows, nodes - 1]``; the
            latter hold meaningless values outside ``Decisions.row_mask``, and are None for
            cells of one node.
        """
        inputs = paddle.to_tensor(self.decisions.inputs(tokens, rows))
        states, _ = self.lstm(inputs)
        by_step = states.transpose([1, 0, 2])  # [steps, B, hidden]
        token_logits = self._head(by_step, self._token_steps, self.token_weight, self.token_bias)
        if not self.decisions.rows:
            return token_logits, None
        return token_logits, self._head(by_step, self._row_steps, self.row_weight, self.row_bias)

    def _head(
        self,
        by_step: paddle.Tensor,
        steps: paddle.Tensor,
        weight: paddle.Tensor,
        bias: paddle.Tensor,
    ) -> paddle.Tensor:
        raw = paddle.bmm(by_step.index_select(steps, axis=0), weight) + bias
        return (self.squash * paddle.tanh(raw / self.temperature)).transpose([1, 0, 2])

    def parameters_for_sampling(self) -> PolicyParameters:
        """The current parameters as NumPy arrays."""
        layers = tuple(
            (
                getattr(self.lstm, f"weight_ih_l{layer}").numpy(),
                getattr(self.lstm, f"weight_hh_l{layer}").numpy(),
                getattr(self.lstm, f"bias_ih_l{layer}").numpy()
                + getattr(self.lstm, f"bias_hh_l{layer}").numpy(),
            )
            for layer in range(self.lstm.num_layers)
        )
        none = np.zeros((0, self.hidden, 0), np.float32)
        return PolicyParameters(
            layers=layers,
            token_weight=self.token_weight.numpy(),
            token_bias=self.token_bias.numpy()[:, 0],
            row_weight=self.row_weight.numpy() if self.decisions.rows else none,
            row_bias=self.row_bias.numpy()[:, 0] if self.decisions.rows else none[:, 0],
            temperature=self.temperature,
            squash=self.squash,
        )
