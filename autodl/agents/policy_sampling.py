"""Sampling architectures from the policy: a NumPy forward pass of the LSTM for a whole batch.

Sampling is 38 tiny steps in which each input depends on the step before; a framework call
costs more than the arithmetic, so the parameters are read out once and the steps are taken
in NumPy. ``policy_model.py`` scores the same decisions; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.agents.decisions import Decisions, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PolicyParameters:
    """The policy's parameters, float32.

    ``layers`` holds for each LSTM layer ``(weight_ih [4H, D], weight_hh [4H, H], bias [4H])``
    with the gates in the order input, forget, cell, output.
    """

    layers: tuple[tuple[FloatArray, FloatArray, FloatArray], ...]
    token_weight: FloatArray  # [tokens, H, choices]
    token_bias: FloatArray  # [tokens, choices]
    row_weight: FloatArray  # [rows, H, nodes - 1]
    row_bias: FloatArray  # [rows, nodes - 1]
    temperature: float
    squash: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """Decisions drawn for a batch, and how likely the policy was to draw them."""

    tokens: IntArray  # [B, tokens]
    rows: IntArray  # [B, rows, nodes - 1]
    log_probability: NDArray[np.float64]  # [B]


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), through tanh so that nothing overflows."""
    half = np.float32(0.5)
    result: FloatArray = half * np.tanh(half * x) + half
    return result


def sample_decisions(
    parameters: PolicyParameters,
    decisions: Decisions,
    uniforms: NDArray[np.float64] | None,
    batch: int = 1,
) -> Sampled:
    """Draw a batch of architectures.

    Args:
        uniforms: in ``[0, 1)``, float64 ``[B, tokens + bits]``, one for every decision: first
            those of the operations, then those of the edge bits. None takes the likeliest
            decision everywhere.
        batch: number of architectures when ``uniforms`` is None.
    """
    batch = batch if uniforms is None else len(uniforms)
    tokens = np.zeros((batch, decisions.tokens), np.int64)
    rows = np.zeros((batch, decisions.rows, decisions.nodes - 1), np.int64)
    thresholds = np.full((batch, decisions.rows, decisions.nodes - 1), 0.5)
    if uniforms is not None:
        thresholds[:, decisions.row_mask] = uniforms[:, decisions.tokens :]
    log_probability = np.zeros(batch)
    every = np.arange(batch)
    advance = LstmSteps(parameters.layers, batch)
    kinds = np.zeros(decisions.steps, np.int64)
    kinds[decisions.row_steps] = 1
    counts = [0, 0]
    x = np.zeros((batch, decisions.input_size), np.float32)
    for kind in kinds.tolist():
        top = advance(x)
        index = counts[kind]
        counts[kind] += 1
        x = np.zeros((batch, decisions.input_size), np.float32)
        if kind == 0:
            logits = _squash(
                top @ parameters.token_weight[index] + parameters.token_bias[index], parameters
            )
            exponents = np.exp(logits.astype(np.float64))
            probabilities = exponents / exponents.sum(axis=1, keepdims=True)
            if uniforms is None:
                chosen = probabilities.argmax(axis=1)
            else:
                below = probabilities.cumsum(axis=1) <= uniforms[:, index, None]
                chosen = np.minimum(below.sum(axis=1), decisions.choices - 1)
            tokens[:, index] = chosen
            log_probability += np.log(probabilities[every, chosen])
            x[every, chosen] = 1.0
        else:
            columns = index % (decisions.nodes - 1) + 1
            logits = _squash(
                top @ parameters.row_weight[index, :, :columns]
                + parameters.row_bias[index, :columns],
                parameters,
            )
            probabilities = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
            set_bits = thresholds[:, index, :columns] < probabilities
            rows[:, index, :columns] = set_bits
            log_probability += np.log(np.where(set_bits, probabilities, 1 - probabilities)).sum(1)
            x[:, :columns] = set_bits
    return Sampled(tokens, rows, log_probability)


def _squash(raw: FloatArray, parameters: PolicyParameters) -> FloatArray:
    result: FloatArray = parameters.squash * np.tanh(raw / parameters.temperature)
    return result


class LstmSteps:
    """Stacked LSTM layers that remember their state from step to step.

    Args:
        layers: as in ``PolicyParameters``.
        batch: number of sequences.
    """

    def __init__(
        self, layers: Sequence[tuple[FloatArray, FloatArray, FloatArray]], batch: int
    ) -> None:
        self._layers = [
            (np.ascontiguousarray(np.concatenate([w, u], axis=1).T), b) for w, u, b in layers
        ]
        hidden = len(layers[0][2]) // 4
        self._hidden = hidden
        self._states = [np.zeros((batch, hidden), np.float32) for _ in self._layers]
        self._cells = [np.zeros((batch, hidden), np.float32) for _ in self._layers]

    def keep(self, rows: IntArray) -> None:
        """Go on with these sequences, some of them perhaps several times."""
        self._states = [state[rows] for state in self._states]
        self._cells = [cell[rows] for cell in self._cells]

    def __call__(self, x: FloatArray) -> FloatArray:
        """Take one step on ``x [B, D]`` and return the top layer's state ``[B, H]``."""
        h = self._hidden
        for layer, (weight, bias) in enumerate(self._layers):
            gates = np.concatenate([x, self._states[layer]], axis=1) @ weight + bias
            squashed = sigmoid(gates)
            cell = squashed[:, h : 2 * h] * self._cells[layer]
            cell += squashed[:, :h] * np.tanh(gates[:, 2 * h : 3 * h])
            x = squashed[:, 3 * h :] * np.tanh(cell)
            self._cells[layer], self._states[layer] = cell, x
        return x
