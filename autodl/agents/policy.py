"""The policy over a row of decisions: an LSTM that takes them one step after the other.

What the steps read is up to the policies that derive from it: ``design_policy.py`` reads the
decision before (AutoDL Design), ``width_policy.py`` also the layer and the budget left (APS).
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import paddle
from paddle import nn
from paddle.nn import initializer

from autodl.agents.decisions import Decisions
from autodl.agents.parl_backend import Model
from autodl.agents.walk import Features, Head, LstmLayer, Parameters, Walk
from autodl.networks.layers import truncated_normal
from autodl.spaces.space import Integers

_NEVER = -1e9  # logit of a value that a choice does not have


class Policy(Model):
    """Stacked LSTM layers, and linear heads: one for every step, or one that all choices share.

    Weights start in U(-0.1, 0.1), those of heads, where ``head_deviation`` is given, from a normal
    distribution cut at two deviations; biases of heads at 0, no forget bias. The heads of a kind
    are one parameter each, ``[steps, hidden, outputs]``, so that an update touches a dozen tensors
    instead of a hundred. Head outputs ``z`` become logits ``squash * tanh(z / temperature)``, which
    caps how sure the policy can become, or stay as they are.

    Args:
        own_heads: whether every step has a head of its own; one that is shared is of choices only.
        lstm_bias: biases of the LSTM start in U(-lstm_bias, lstm_bias).
        squash: largest size of a logit; None leaves them as they are.
        temperature: of the squash.
        head_deviation: of the first weights of steps' own heads.
    """

    lead = 0
    """How often the first input is read before the first decision."""

    def __init__(
        self,
        decisions: Decisions,
        *,
        hidden: int,
        layers: int,
        own_heads: bool,
        lstm_bias: float,
        squash: float | None = None,
        temperature: float = 1.0,
        head_deviation: float | None = None,
    ) -> None:
        super().__init__()
        self.decisions = decisions
        self.hidden = hidden
        self.squash, self.temperature = squash, temperature
        uniform, zero = initializer.Uniform(-0.1, 0.1), initializer.Constant(0.0)
        bias = initializer.Uniform(-lstm_bias, lstm_bias) if lstm_bias else zero
        # names and order are those of stored runs: seeds draw parameter after parameter
        size = self.add_features(uniform)
        self.lstm = nn.LSTM(
            size,
            hidden,
            num_layers=layers,
            weight_ih_attr=uniform,
            weight_hh_attr=uniform,
            bias_ih_attr=paddle.ParamAttr(initializer=bias),
            bias_hh_attr=paddle.ParamAttr(initializer=bias),
        )
        if own_heads:
            first = uniform if head_deviation is None else truncated_normal(head_deviation)
            self._add_heads("token", decisions.choice_mask.shape, first)
            self._add_heads("row", decisions.set_mask.shape, first)
        else:
            most = decisions.choice_mask.shape[1]
            self.head_weight = self.create_parameter([hidden, most], default_initializer=uniform)
            self.head_bias = self.create_parameter([most], default_initializer=zero)
        self._own_heads = own_heads
        self._choice_steps = paddle.to_tensor(decisions.choice_steps)
        self._set_steps = paddle.to_tensor(decisions.set_steps)
        dtype = self.lstm.weight_ih_l0.numpy().dtype
        closed = np.where(decisions.choice_mask, 0.0, _NEVER).astype(dtype)
        self._closed = None if decisions.choice_mask.all() else paddle.to_tensor(closed)

    def _add_heads(self, kind: str, shape: tuple[int, ...], first: initializer.Initializer) -> None:
        """A head for each step of a kind, if there are any."""
        steps, most = shape
        if steps:
            weight = self.create_parameter([steps, self.hidden, most], default_initializer=first)
            bias = self.create_parameter([steps, 1, most], is_bias=True)
            self.add_parameter(f"{kind}_weight", weight)
            self.add_parameter(f"{kind}_bias", bias)

    @abstractmethod
    def add_features(self, uniform: initializer.Initializer) -> int:
        """Make the parameters that ``inputs`` needs, and say how wide an input is."""

    @abstractmethod
    def inputs(self, rows: Integers) -> paddle.Tensor:
        """What every step reads when these decisions are forced, ``[B, lead + steps, D]``."""

    @abstractmethod
    def features(self) -> Features:
        """The same for a walk, with the parameters of now."""

    def forward(self, rows: Integers) -> tuple[paddle.Tensor | None, paddle.Tensor | None]:
        """Logits of every decision, each given the ones before it (teacher forcing).

        Args:
            rows: int64 ``[B, decisions]``.

        Returns:
            Those of choices ``[B, choices, most values]``, and log-odds of sets ``[B, sets, most
            members]``, which are meaningless outside ``Decisions.set_mask``; None for a kind of
            which there is no step.
        """
        states, _ = self.lstm(self.inputs(rows))
        states = states[:, self.lead :] if self.lead else states
        choices = sets = None
        if not self._own_heads:
            choices = self._squashed(paddle.matmul(states, self.head_weight) + self.head_bias)
        by_step = states.transpose([1, 0, 2])  # [steps, B, hidden]
        if self._own_heads and len(self.decisions.choices):
            choices = self._head(by_step, self._choice_steps, self.token_weight, self.token_bias)
        if self._own_heads and len(self.decisions.set_steps):
            sets = self._head(by_step, self._set_steps, self.row_weight, self.row_bias)
        if choices is not None and self._closed is not None:
            choices = choices + self._closed
        return choices, sets

    def _head(
        self,
        by_step: paddle.Tensor,
        steps: paddle.Tensor,
        weight: paddle.Tensor,
        bias: paddle.Tensor,
    ) -> paddle.Tensor:
        raw = paddle.bmm(by_step.index_select(steps, axis=0), weight) + bias
        return self._squashed(raw).transpose([1, 0, 2])

    def _squashed(self, raw: paddle.Tensor) -> paddle.Tensor:
        return raw if self.squash is None else self.squash * paddle.tanh(raw / self.temperature)

    def walk(self, batch: int) -> Walk:
        """Take the decisions one by one, in NumPy, with the parameters of now."""
        return Walk(self.decisions, self._parameters_of_now(), self.features(), batch, self.lead)

    def _parameters_of_now(self) -> Parameters:
        named = {name: value.numpy() for name, value in self.named_parameters()}
        layers = tuple[LstmLayer, ...](
            (
                named[f"lstm.weight_ih_l{layer}"],
                named[f"lstm.weight_hh_l{layer}"],
                named[f"lstm.bias_ih_l{layer}"] + named[f"lstm.bias_hh_l{layer}"],
            )
            for layer in range(self.lstm.num_layers)
        )
        heads = list[Head]()
        for step in self.decisions.in_order:
            if self._own_heads:
                kind, width = "row" if step.is_set else "token", step.width
                weight, bias = named[f"{kind}_weight"], named[f"{kind}_bias"]
                heads.append((weight[step.number, :, :width], bias[step.number, 0, :width]))
            else:
                heads.append((named["head_weight"], named["head_bias"]))
        return Parameters(layers, tuple(heads), self.squash, self.temperature)
