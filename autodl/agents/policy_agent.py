"""What the agents share: a policy on the CPU, a moving baseline, and a state of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from autodl.agents.parl_backend import Agent
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient
from autodl.spaces.space import Integers
from autodl.training.device import computing_on
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer

# dozens of tiny steps one after another: a GPU would be slower, and its memory is for the trials
_CPU = partial(computing_on, "cpu")


@dataclass(frozen=True, slots=True)
class Learned:
    """What one update saw: mean reward, the baseline it was compared with, entropy and loss."""

    reward: float
    baseline: float
    entropy: float
    loss: float


class PolicyAgent(Agent):
    """An agent that learns rows of decisions from their rewards against a moving baseline.

    The baseline is ``decay b + (1 - decay) r`` of the batches' mean reward, taken before it moves;
    the first rewards are their own baseline.

    Args:
        make: the algorithm around a fresh policy, whose weights ``seed`` draws.
        decay: of the baseline.
    """

    def __init__(
        self, make: Callable[[], ReinforcePolicyGradient], *, seed: int, decay: float
    ) -> None:
        with _CPU():
            paddle.seed(seed)
            super().__init__(make())
        self._decay = decay
        self.baseline: float | None = None

    def advantages(self, rewards: NDArray[np.float64], baseline: float) -> NDArray[np.float64]:
        """What each reward of a batch weighs, ``[B]``."""
        return rewards - baseline

    def learn(self, rows: Integers, rewards: NDArray[np.float64]) -> Learned:
        """Take one step on rows ``[B, decisions]`` and their rewards ``[B]``."""
        mean = float(rewards.mean())
        baseline = mean if self.baseline is None else self.baseline
        with _CPU():
            learned = self.alg.learn(rows, self.advantages(rewards, baseline))
        self.baseline = self._decay * baseline + (1.0 - self._decay) * mean
        return Learned(mean, baseline, learned.entropy, learned.loss)

    def state(self) -> dict[str, Any]:
        """Weights, optimiser and baseline."""
        named = dict(self.alg.model.named_parameters())
        return {
            "weights": {name: value.numpy() for name, value in named.items()},
            "optimizer": optimizer_arrays(self.alg.optimizer, named),
            "baseline": self.baseline,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        named = dict(self.alg.model.named_parameters())
        with _CPU():
            for name, value in named.items():
                value.set_value(paddle.to_tensor(state["weights"][name]))
            restore_optimizer(self.alg.optimizer, named, state["optimizer"])
        self.baseline = state["baseline"]
