"""The policy that decides on channel numbers: an LSTM that is told how much budget is left.

One decision at a step, in the order of the layers. The input of a step is an embedding of the
choice before, the number of the layer that it was made for (one-hot), and the share of the budget
that the decided layers leave. The first input (a start token, zeros, 1) is fed twice.
Source: the authors' code of APS; which layer the one-hot number means is our reading of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn
from paddle.nn import initializer

from autodl.agents.parl_backend import Model
from autodl.agents.policy_sampling import LstmSteps

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
_LEAST_EMBEDDING = 8
_NEVER = -1e9  # logit of a candidate that a decision does not have


@dataclass(frozen=True, eq=False)
class Decisions:
    """What is decided, and what it costs.

    ``sizes`` are the numbers of candidates; ``added`` gives what the last of choices
    ``[B, decided]`` adds to the cost, ``[B]``; ``budget`` is what the sum is compared with.
    """

    sizes: tuple[int, ...]
    added: Callable[[Integers], Integers]
    budget: float

    def left(self, spent: Integers) -> Floats:
        """Share of the budget that is left, ``[B]``; maybe negative."""
        return ((self.budget - spent) / self.budget).astype(np.float32)

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Which candidates each decision has, ``[decisions, most candidates]``."""
        return np.arange(max(self.sizes)) < np.array(self.sizes)[:, None]


class WidthPolicy(Model):
    """LSTM and one linear head for all decisions; parameters start in U(-0.1, 0.1).

    The head's bias starts at 0. The input is as wide as the LSTM where the layers' numbers leave
    at least 8 places for the embedding, and wider where they do not.
    """

    def __init__(self, decisions: Decisions, *, hidden: int = 100, layers: int = 2) -> None:
        super().__init__()
        self.decisions = decisions
        count, most = len(decisions.sizes), max(decisions.sizes)
        width = max(hidden - count - 1, _LEAST_EMBEDDING)
        uniform = initializer.Uniform(-0.1, 0.1)
        self.embedding = self.create_parameter([most + 1, width], default_initializer=uniform)
        self.lstm = nn.LSTM(
            width + count + 1,
            hidden,
            num_layers=layers,
            weight_ih_attr=uniform,
            weight_hh_attr=uniform,
            bias_ih_attr=paddle.ParamAttr(initializer=uniform),
            bias_hh_attr=paddle.ParamAttr(initializer=uniform),
        )
        self.head_weight = self.create_parameter([hidden, most], default_initializer=uniform)
        self.head_bias = self.create_parameter([most], is_bias=True)
        closed = np.where(decisions.allowed, 0.0, _NEVER).astype(self.head_bias.numpy().dtype)
        self._closed = paddle.to_tensor(closed)

    def forward(self, choices: Integers) -> paddle.Tensor:
        """Logits ``[B, decisions, candidates]`` of each decision, given the ones before it.

        Args:
            choices: int64 ``[B, decisions]``.
        """
        batch, count = choices.shape
        most = self.embedding.shape[0] - 1
        before = np.full((batch, count + 1), most, np.int64)
        before[:, 2:] = choices[:, :-1]
        dtype = self.head_bias.numpy().dtype
        layer = np.zeros((batch, count + 1, count), dtype)
        layer[:, np.arange(2, count + 1), np.arange(count - 1)] = 1.0
        left = np.ones((batch, count + 1, 1), dtype)
        spent = np.zeros(batch, np.int64)
        for step in range(2, count + 1):
            spent += self.decisions.added(choices[:, : step - 1])
            left[:, step, 0] = self.decisions.left(spent)
        # not F.embedding: a matrix product has a gradient of one kind on every device
        tokens = paddle.to_tensor(np.eye(most + 1, dtype=dtype)[before])
        embedded = paddle.matmul(tokens, self.embedding)
        inputs = paddle.concat([embedded, paddle.to_tensor(layer), paddle.to_tensor(left)], axis=-1)
        states, _ = self.lstm(inputs)
        return paddle.matmul(states[:, 1:], self.head_weight) + self.head_bias + self._closed

    def walk(self, batch: int) -> Walk:
        """Take the decisions one by one, in NumPy, with the parameters of now."""
        layers = [
            (
                getattr(self.lstm, f"weight_ih_l{n}").numpy(),
                getattr(self.lstm, f"weight_hh_l{n}").numpy(),
                getattr(self.lstm, f"bias_ih_l{n}").numpy()
                + getattr(self.lstm, f"bias_hh_l{n}").numpy(),
            )
            for n in range(self.lstm.num_layers)
        ]
        return Walk(
            self.decisions,
            layers,
            self.embedding.numpy(),
            self.head_weight.numpy(),
            self.head_bias.numpy(),
            batch,
        )


class Walk:
    """Sequences of decisions being made: log-probabilities out, choices in."""

    def __init__(
        self,
        decisions: Decisions,
        layers: Sequence[tuple[Floats, Floats, Floats]],
        embedding: Floats,
        weight: Floats,
        bias: Floats,
        batch: int,
    ) -> None:
        self._decisions, self._embedding = decisions, embedding
        self._weight, self._bias = weight, bias
        self._advance = LstmSteps(layers, batch)
        self._allowed = decisions.allowed
        self.choices = np.zeros((batch, 0), np.int64)
        self._spent = np.zeros(batch, np.int64)
        self._advance(self._input())

    def _input(self) -> Floats:
        batch, made = self.choices.shape
        layer = np.zeros((batch, len(self._decisions.sizes)), np.float32)
        tokens = np.full(batch, len(self._embedding) - 1)
        left = np.ones(batch, np.float32)
        if made:
            layer[:, made - 1] = 1.0
            tokens = self.choices[:, -1]
            left = self._decisions.left(self._spent)
        return np.concatenate([self._embedding[tokens], layer, left[:, None]], axis=1)

    def log_probabilities(self) -> NDArray[np.float64]:
        """Of the candidates of the next decision, ``[B, candidates]``; minus infinity if none."""
        top = self._advance(self._input())
        logits = (top @ self._weight + self._bias).astype(np.float64)
        logits[:, ~self._allowed[self.choices.shape[1]]] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        result: NDArray[np.float64] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return result

    def choose(self, chosen: Integers, rows: Integers | None = None) -> None:
        """Make the next decision; with ``rows``, go on from these sequences ``[B']``."""
        if rows is not None:
            self._advance.keep(rows)
            self.choices, self._spent = self.choices[rows], self._spent[rows]
        self.choices = np.concatenate([self.choices, chosen[:, None]], axis=1)
        self._spent = self._spent + self._decisions.added(self.choices)


def draw(policy: WidthPolicy, uniforms: NDArray[np.float64]) -> Integers:
    """Sample choices ``[B, decisions]`` with one number in [0, 1) for each decision."""
    walk = policy.walk(len(uniforms))
    sizes = policy.decisions.sizes
    for step, size in enumerate(sizes):
        totals = np.exp(walk.log_probabilities()).cumsum(axis=1)
        chosen = (totals <= uniforms[:, step, None]).sum(axis=1)
        walk.choose(np.minimum(chosen, size - 1))
    return walk.choices


def beam_search(
    policy: WidthPolicy,
    width: int,
    reachable: Callable[[Integers], NDArray[np.bool_]] = lambda choices: np.ones(
        len(choices), bool
    ),
) -> tuple[Integers, NDArray[np.float64]]:
    """The likeliest choices, best first, and their log-probabilities.

    With ``width`` at least the number of all architectures these are exactly the likeliest; with
    less, those that stay among the ``width`` likeliest beginnings.

    Args:
        reachable: which beginnings ``[B, decided]`` can still end where the result shall be.

    Returns:
        At most ``width`` rows; none if nothing is reachable.
    """
    walk, scores = policy.walk(1), np.zeros(1)
    for size in policy.decisions.sizes:
        grown = (scores[:, None] + walk.log_probabilities())[:, :size]
        rows, chosen = (part.ravel() for part in np.indices(grown.shape))
        ends = np.concatenate([walk.choices[rows], chosen[:, None]], axis=1)
        open_ = np.flatnonzero(reachable(ends))
        best = open_[np.argsort(-grown.ravel()[open_], kind="stable")[:width]]
        scores = grown.ravel()[best]
        walk.choose(chosen[best], rows[best])
        if not len(best):
            return np.zeros((0, len(policy.decisions.sizes)), np.int64), scores
    return walk.choices, scores
