"""The policy that decides on channel numbers: an LSTM that is told how much budget is left.

One decision at a step, in the order of the layers. The input of a step is an embedding of the
choice before, the number of the layer that it was made for (one-hot), and the share of the budget
that the decided layers leave. The first input (a start token, zeros, 1) is fed three times, the
last time for the first decision.
Source: the authors' code of APS; which layer the one-hot number means is our reading of it. Their
code hands cell and hidden state to the LSTM in each other's place, which is a slip; ours does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle.nn import initializer

from autodl.agents.decisions import Decisions, Floats
from autodl.agents.policy import Policy
from autodl.agents.walk import Doubles, Features, log_softmax
from autodl.spaces.space import Costed, Integers

_LEAST_EMBEDDING = 8


@dataclass(frozen=True, eq=False)
class PricedDecisions(Decisions):
    """What is decided, and what it costs; decisions are taken one by one, in the row's order.

    ``added`` gives what the last of choices ``[B, decided]`` adds to the cost, ``[B]``; ``budget``
    is what the sum is compared with.
    """

    added: Callable[[Integers], Integers] = lambda choices: np.zeros(len(choices), np.int64)
    budget: float = 1.0

    @classmethod
    def of(cls, space: Costed[Any], budget: float) -> PricedDecisions:
        """Those of a space that tells what its decisions cost."""
        return cls(space.sizes, added=space.added_cost, budget=budget)

    def left(self, spent: Integers) -> Floats:
        """Share of the budget that is left, ``[B]``; maybe negative."""
        return ((self.budget - spent) / self.budget).astype(np.float32)


class WidthPolicy(Policy):
    """One linear head for all decisions, and an input of three parts.

    The input is as wide as the LSTM where the layers' numbers leave at least 8 places for the
    embedding, and wider where they do not.
    """

    decisions: PricedDecisions
    lead = 2  # searches that were begun by earlier versions have 1, see WidthController.restore

    def __init__(self, decisions: PricedDecisions, *, hidden: int = 100, layers: int = 2) -> None:
        super().__init__(decisions, hidden=hidden, layers=layers, own_heads=False, lstm_bias=0.1)

    def add_features(self, uniform: initializer.Initializer) -> int:
        """The embedding of choices and of the start token."""
        count, most = len(self.decisions.sizes), max(self.decisions.sizes)
        width = max(self.hidden - count - 1, _LEAST_EMBEDDING)
        self.embedding = self.create_parameter([most + 1, width], default_initializer=uniform)
        return width + count + 1

    def inputs(self, rows: Integers) -> paddle.Tensor:
        """Embedding, layer and budget, ``[B, lead + decisions, D]``."""
        batch, count = rows.shape
        most = self.embedding.shape[0] - 1
        first, steps = self.lead + 1, self.lead + count  # the first step that has a choice before
        before = np.full((batch, steps), most, np.int64)
        before[:, first:] = rows[:, :-1]
        dtype = self.head_bias.numpy().dtype
        layer = np.zeros((batch, steps, count), dtype)
        layer[:, np.arange(first, steps), np.arange(count - 1)] = 1.0
        left = np.ones((batch, steps, 1), dtype)
        spent = np.zeros(batch, np.int64)
        for step in range(first, steps):
            spent += self.decisions.added(rows[:, : step - self.lead])
            left[:, step, 0] = self.decisions.left(spent)
        # not F.embedding: a matrix product has a gradient of one kind on every device
        tokens = paddle.to_tensor(np.eye(most + 1, dtype=dtype)[before])
        embedded = paddle.matmul(tokens, self.embedding)
        return paddle.concat([embedded, paddle.to_tensor(layer), paddle.to_tensor(left)], axis=-1)

    def features(self) -> Features:
        """The same, step by step."""
        return _ChoiceLayerBudget(self.decisions, self.embedding.numpy())


class _ChoiceLayerBudget:
    """The input's three parts, with what the sequences have spent so far."""

    def __init__(self, decisions: PricedDecisions, embedding: Floats) -> None:
        self._decisions, self._embedding = decisions, embedding
        self._spent: Integers = np.zeros(0, np.int64)

    def first(self, batch: int) -> Floats:
        self._spent = np.zeros(batch, np.int64)
        start = np.full(batch, len(self._embedding) - 1)
        layer = np.zeros((batch, len(self._decisions.sizes)), np.float32)
        return self._input(start, layer, np.ones(batch, np.float32))

    def after(self, step: int, rows: Integers) -> Floats:
        self._spent = self._spent + self._decisions.added(rows[:, : step + 1])
        layer = np.zeros((len(rows), len(self._decisions.sizes)), np.float32)
        layer[:, step] = 1.0
        return self._input(rows[:, step], layer, self._decisions.left(self._spent))

    def _input(self, tokens: Integers, layer: Floats, left: Floats) -> Floats:
        return np.concatenate([self._embedding[tokens], layer, left[:, None]], axis=1)

    def keep(self, kept: Integers) -> None:
        self._spent = self._spent[kept]


def beam_search(
    policy: WidthPolicy,
    width: int,
    reachable: Callable[[Integers], NDArray[np.bool_]] = lambda choices: np.ones(
        len(choices), bool
    ),
) -> tuple[Integers, Doubles]:
    """The likeliest choices, best first, and their log-probabilities.

    With ``width`` at least the number of all architectures these are exactly the likeliest; with
    less, those that stay among the ``width`` likeliest beginnings.

    Args:
        reachable: which beginnings ``[B, decided]`` can still end where the result shall be.

    Returns:
        At most ``width`` rows; none if nothing is reachable.
    """
    walk, scores = policy.walk(1), np.zeros(1)
    for step in range(len(policy.decisions.sizes)):
        grown = scores[:, None] + log_softmax(walk.logits())
        rows, chosen = (part.ravel() for part in np.indices(grown.shape))
        ends = np.concatenate([walk.rows[rows, :step], chosen[:, None]], axis=1)
        open_ = np.flatnonzero(reachable(ends))
        best = open_[np.argsort(-grown.ravel()[open_], kind="stable")[:width]]
        scores = grown.ravel()[best]
        walk.choose(chosen[best], rows[best])
        if not len(best):
            return np.zeros((0, len(policy.decisions.sizes)), np.int64), scores
    return walk.rows, scores
