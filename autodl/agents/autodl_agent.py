"""The agent of AutoDL Design: designs cells with an LSTM and learns from their rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from autodl.agents.decisions import Decisions
from autodl.agents.options import AgentOptions
from autodl.agents.parl_backend import Agent
from autodl.agents.policy_model import PolicyModel
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.cell.space import CellSpace
from autodl.training.device import computing_on
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer
from autodl.trial import Trial

# 38 tiny steps one after another: a GPU would be slower, and its memory is for the trials
_CPU = partial(computing_on, "cpu")


class AutoDLAgent(Agent):
    """A PARL agent with ask and tell: it proposes a batch, is told of it, and learns.

    Once a whole batch is told, the policy takes one REINFORCE step on its trials with a reward,
    with advantage ``(reward - baseline) ** advantage_power``. The baseline is the exponential
    moving average of the batches' mean reward, before this batch; the first batch is its own
    baseline. A pruned trial counts with the reward it had reached: low, for the reason for which
    it was stopped. A batch without any reward changes nothing.
    """

    def __init__(self, space: CellSpace, *, seed: int = 0, **options_: Any) -> None:
        """``seed`` draws the policy's initial weights; the rest are those of ``AgentOptions``."""
        options = AgentOptions(**options_)
        decisions = Decisions(space.cells, space.nodes, len(space.operations))
        with _CPU():
            paddle.seed(seed)
            model = PolicyModel(
                decisions,
                hidden=options.hidden,
                layers=options.layers,
                temperature=options.temperature,
                squash=options.squash,
            )
            super().__init__(
                ReinforcePolicyGradient(
                    model,
                    learning_rate=options.learning_rate,
                    entropy_weight=options.entropy_weight,
                )
            )
        self.batch_size: int | None = options.batch_size
        self._space = space
        self._options = options
        self._decisions = decisions
        self._baseline: float | None = None
        self._told: list[tuple[CellPair, float | None]] = []
        self._diagnostics: dict[str, float] = {"update": 0}

    def ask(self, rng: np.random.Generator) -> CellPair:
        """Propose one architecture; the policy itself is not changed."""
        return self.ask_batch([rng])[0]

    def ask_batch(self, rngs: Sequence[np.random.Generator]) -> list[CellPair]:
        """Propose one architecture for every generator, in one pass through the policy."""
        count = self._decisions.tokens + self._decisions.bits
        sampled = self.alg.sample(np.stack([rng.random(count) for rng in rngs]))
        bits = self._decisions.to_bits(sampled.rows)
        return [self._space.decode(row) for row in np.hstack([sampled.tokens, bits])]

    def predict(self) -> CellPair:
        """The architecture of the policy's likeliest decision at every step."""
        sampled = self.alg.predict()
        bits = self._decisions.to_bits(sampled.rows)
        return self._space.decode(np.hstack([sampled.tokens, bits])[0])

    def tell(self, trial: Trial) -> None:
        """Remember a finished trial and, when its batch is complete, learn from the batch."""
        self._told.append((self._space.check(trial.architecture), trial.reward))
        if len(self._told) == self.batch_size:
            scored = [(arch, reward) for arch, reward in self._told if reward is not None]
            self._told = []
            if scored:
                self._learn([arch for arch, _ in scored], np.array([r for _, r in scored]))

    def _learn(self, architectures: list[CellPair], rewards: NDArray[np.float64]) -> None:
        encoded = np.stack([self._space.encode(architecture) for architecture in architectures])
        tokens, bits = self._space.split(encoded)
        rows = self._decisions.to_rows(bits)
        mean = float(rewards.mean())
        baseline = mean if self._baseline is None else self._baseline
        with _CPU():
            learned = self.alg.learn(tokens, rows, advantages(rewards, baseline, self._options))
        decay = self._options.baseline_decay
        self._baseline = decay * baseline + (1.0 - decay) * mean
        self._diagnostics = {
            "update": self._diagnostics["update"] + 1,
            "mean_reward": mean,
            "baseline": baseline,
            "entropy": learned.entropy,
            "loss": learned.loss,
        }

    def diagnostics(self) -> Mapping[str, float]:
        """Mean reward, baseline, entropy and loss of the latest update, and its number."""
        return self._diagnostics

    def state(self) -> dict[str, Any]:
        """Weights, optimiser, baseline, and the part of a batch that is told already."""
        told = [
            (*self._space.split(self._space.encode(architecture)), reward)
            for architecture, reward in self._told
        ]
        named = dict(self.alg.model.named_parameters())
        return {
            "weights": {name: value.numpy() for name, value in named.items()},
            "optimizer": optimizer_arrays(self.alg.optimizer, named),
            "baseline": self._baseline,
            "diagnostics": dict(self._diagnostics),
            "told": [
                {"tokens": tokens.tolist(), "bits": bits.tolist(), "reward": reward}
                for tokens, bits, reward in told
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        named = dict(self.alg.model.named_parameters())
        with _CPU():
            for name, value in named.items():
                value.set_value(paddle.to_tensor(state["weights"][name]))
            restore_optimizer(self.alg.optimizer, named, state["optimizer"])
        self._baseline = state["baseline"]
        self._diagnostics = dict(state["diagnostics"])
        self._told = [
            (self._space.decode([*told["tokens"], *told["bits"]]), told["reward"])
            for told in state["told"]
        ]


def advantages(
    rewards: NDArray[np.float64], baseline: float, options: AgentOptions
) -> NDArray[np.float64]:
    """``sign(a) |a| ** advantage_power`` with ``a = reward - baseline``, float64 ``[B]``.

    The original's power 3 keeps the sign by itself; the sign is kept for every power.
    """
    difference = rewards - baseline
    return np.sign(difference) * np.abs(difference) ** options.advantage_power
