"""Decisions taken one by one: a NumPy forward pass of the policy's LSTM for a whole batch.

Sampling is dozens of tiny steps in which each input depends on the step before; a framework call
costs more than the arithmetic, so the parameters are read out once and the steps are taken in
NumPy. ``policy.py`` scores the same decisions; tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.agents.decisions import Decisions, Floats
from autodl.spaces.space import Integers

Doubles: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Head: TypeAlias = tuple[Floats, Floats]  # weight [H, K] and bias [K]
# weight_ih [4H, D], weight_hh [4H, H], bias [4H]; the gates are input, forget, cell, output
LstmLayer: TypeAlias = tuple[Floats, Floats, Floats]


class Features(Protocol):
    """What the steps of one walk read."""

    def first(self, batch: int) -> Floats:
        """The input of the first step, ``[B, D]``."""
        ...

    def after(self, step: int, rows: Integers) -> Floats:
        """The input of the step after ``step``, whose decision stands in the rows ``[B, D]``."""
        ...

    def keep(self, kept: Integers) -> None:
        """Go on with these of the sequences, some of them perhaps several times."""
        ...


@dataclass(frozen=True, slots=True)
class Parameters:
    """A policy's parameters in NumPy, float32.

    ``heads`` has one for each step, which may be the same; logits are
    ``squash * tanh(z / temperature)``, or ``z`` where ``squash`` is None.
    """

    layers: tuple[LstmLayer, ...]
    heads: tuple[Head, ...]
    squash: float | None
    temperature: float


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), through tanh so that nothing overflows."""
    half = np.float32(0.5)
    result: Floats = half * np.tanh(half * x) + half
    return result


class LstmSteps:
    """Stacked LSTM layers that remember their state from step to step.

    Args:
        layers: from the bottom to the top.
        batch: number of sequences.
    """

    def __init__(self, layers: Sequence[LstmLayer], batch: int) -> None:
        self._layers = [
            (np.ascontiguousarray(np.concatenate([w, u], axis=1).T), b) for w, u, b in layers
        ]
        hidden = len(layers[0][2]) // 4
        self._hidden = hidden
        self._states = [np.zeros((batch, hidden), np.float32) for _ in self._layers]
        self._cells = [np.zeros((batch, hidden), np.float32) for _ in self._layers]

    def keep(self, kept: Integers) -> None:
        """Go on with these sequences, some of them perhaps several times."""
        self._states = [state[kept] for state in self._states]
        self._cells = [cell[kept] for cell in self._cells]

    def __call__(self, x: Floats) -> Floats:
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


class Walk:
    """Rows that are being decided on: logits out, decisions in, step by step.

    Args:
        lead: how often the first input is read before the first decision.
    """

    def __init__(
        self,
        decisions: Decisions,
        parameters: Parameters,
        features: Features,
        batch: int,
        lead: int = 0,
    ) -> None:
        self._steps = decisions.in_order
        self._parameters, self._features = parameters, features
        self._advance = LstmSteps(parameters.layers, batch)
        self._input = features.first(batch)
        self._number = 0
        self.rows = np.zeros((batch, len(decisions.sizes)), np.int64)
        for _ in range(lead):
            self._advance(self._input)

    def logits(self) -> Doubles:
        """Of the next step's decision, ``[B, width]``: of a choice's values, or a set's log-odds.

        Those of a choice are up to a constant for each row, so that their exponentials are finite.
        """
        parameters, step = self._parameters, self._steps[self._number]
        weight, bias = parameters.heads[self._number]
        logits = (self._advance(self._input) @ weight + bias)[:, : step.width]
        if parameters.squash is not None:
            logits = parameters.squash * np.tanh(logits / parameters.temperature)
        doubles: Doubles = logits.astype(np.float64)
        if parameters.squash is None and not step.is_set:  # what is squashed is small enough
            doubles -= doubles.max(axis=1, keepdims=True)
        return doubles

    def choose(self, taken: Integers | Bools, kept: Integers | None = None) -> None:
        """Take the decision ``[B]`` or ``[B, members]``; with ``kept``, go on from these rows."""
        step = self._steps[self._number]
        if kept is not None:
            self._advance.keep(kept)
            self._features.keep(kept)
            self.rows = self.rows[kept]
        self.rows[:, step.positions] = taken if step.is_set else taken[:, None]
        self._number += 1
        if self._number < len(self._steps):
            self._input = self._features.after(self._number - 1, self.rows)


def log_softmax(logits: Doubles) -> Doubles:
    """Log-probabilities of a choice, ``[B, values]``."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Doubles = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows drawn for a batch, ``[B, decisions]``, and how likely the policy was to draw them."""

    rows: Integers
    log_probability: Doubles  # [B]


def draw(walk: Walk, decisions: Decisions, uniforms: Doubles | None) -> Drawn:
    """Take all decisions.

    Args:
        uniforms: in ``[0, 1)``, ``[B, decisions]``, one for every decision. None takes the
            likeliest decision at every step.
    """
    batch = len(walk.rows)
    log_probability, every = np.zeros(batch), np.arange(batch)
    for step in decisions.in_order:
        logits = walk.logits()
        if step.is_set:
            probabilities = 1.0 / (1.0 + np.exp(-logits))
            below = 0.5 if uniforms is None else uniforms[:, step.positions]
            taken = below < probabilities
            log_probability += np.log(np.where(taken, probabilities, 1 - probabilities)).sum(1)
        else:
            exponents = np.exp(logits)
            probabilities = exponents / exponents.sum(axis=1, keepdims=True)
            if uniforms is None:
                taken = probabilities.argmax(axis=1)
            else:
                passed = probabilities.cumsum(axis=1) <= uniforms[:, step.positions]
                taken = np.minimum(passed.sum(axis=1), step.width - 1)
            log_probability += np.log(probabilities[every, taken])
        walk.choose(taken)
    return Drawn(walk.rows, log_probability)
