"""What the agents share: a policy on the CPU, moving moments of rewards, and a state of both."""

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
from autodl.agents.running_moments import RunningMoments
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
    the first rewards are their own baseline. So is the deviation beside it.

    Args:
        make: the algorithm around a fresh policy, whose weights ``seed`` draws.
        decay: of the baseline and the deviation.
    """

    def __init__(
        self, make: Callable[[], ReinforcePolicyGradient], *, seed: int, decay: float
    ) -> None:
        self._make, self._seed = make, seed
        super().__init__(self._fresh())
        self._decay = decay
        self._moments: RunningMoments | None = None

    def _fresh(self) -> ReinforcePolicyGradient:
        """The algorithm at its beginning."""
        with _CPU():
            paddle.seed(self._seed)
            return self._make()

    @property
    def baseline(self) -> float | None:
        """What the next rewards are compared with; None before the first."""
        return None if self._moments is None else self._moments.mean

    def advantages(
        self, rewards: NDArray[np.float64], moments: RunningMoments
    ) -> NDArray[np.float64]:
        """What each reward of a batch weighs, ``[B]``, against the moments before it."""
        return rewards - moments.mean

    def learn(self, rows: Integers, rewards: NDArray[np.float64]) -> Learned:
        """Take one step on rows ``[B, decisions]`` and their rewards ``[B]``."""
        moments = RunningMoments.of(rewards) if self._moments is None else self._moments
        with _CPU():
            learned = self.alg.learn(rows, self.advantages(rewards, moments))
        self._moments = moments.moved(rewards, self._decay)
        return Learned(float(rewards.mean()), moments.mean, learned.entropy, learned.loss)

    def imitate(self, rows: Integers) -> None:
        """Take one step that makes these rows ``[B, decisions]`` likelier."""
        with _CPU():
            self.alg.imitate(rows)

    def state(self) -> dict[str, Any]:
        """Weights, optimiser, baseline, and the variance of the rewards around it."""
        named = dict(self.alg.model.named_parameters())
        return {
            "weights": {name: value.numpy() for name, value in named.items()},
            "optimizer": optimizer_arrays(self.alg.optimizer, named),
            "baseline": self.baseline,
            "variance": None if self._moments is None else self._moments.variance,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave; earlier versions knew no variance."""
        named = dict(self.alg.model.named_parameters())
        with _CPU():
            for name, value in named.items():
                value.set_value(paddle.to_tensor(state["weights"][name]))
            restore_optimizer(self.alg.optimizer, named, state["optimizer"])
        baseline, variance = state["baseline"], state.get("variance")
        self._moments = None if baseline is None else RunningMoments(baseline, variance or 0.0)
