"""The controller of a width search in PARL's cut: Algorithm and Agent around ``WidthPolicy``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from autodl.agents.options import ControllerOptions
from autodl.agents.parl_backend import Agent, Algorithm
from autodl.agents.width_policy import Decisions, Integers, WidthPolicy, draw
from autodl.training.device import computing_on
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer

_CPU = partial(computing_on, "cpu")  # tiny steps one after another, as those of the other agent


def reward(accuracy: float, cost: float, budget: float, exponent: float = -0.1) -> float:
    """``accuracy * (cost / budget) ** e`` with ``e`` 0 within the budget; continuous at it."""
    return accuracy if cost <= budget else accuracy * float((cost / budget) ** exponent)


class WidthReinforce(Algorithm):
    """Adam on ``-log pi (r - b) - entropy_weight H``, averaged over the batch.

    Log-probability and entropy are sums over the decisions, each given the ones before it.
    """

    def __init__(self, model: WidthPolicy, options: ControllerOptions) -> None:
        super().__init__(model)
        self._entropy_weight = options.entropy_weight
        self.optimizer = paddle.optimizer.Adam(
            options.learning_rate,
            beta1=options.beta1,
            beta2=options.beta2,
            parameters=model.parameters(),
            weight_decay=options.weight_decay,  # into the gradient, as PyTorch's Adam has it
        )

    def score(self, choices: Integers) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Log-probability and entropy in nats of stored choices, ``[B]`` each."""
        log_probabilities = F.log_softmax(self.model(choices), axis=-1)
        picked = paddle.to_tensor(choices).unsqueeze(-1)
        taken = paddle.take_along_axis(log_probabilities, picked, axis=-1).squeeze(-1).sum(axis=1)
        # a probability of 0 times its logarithm, a large number here, is 0
        entropy = -(log_probabilities.exp() * log_probabilities).sum(axis=[1, 2])
        return taken, entropy

    def loss(
        self, choices: Integers, advantages: NDArray[np.float64]
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """The loss, and the mean entropy."""
        taken, entropy = self.score(choices)
        weights = paddle.to_tensor(advantages.astype(taken.numpy().dtype))
        mean = entropy.mean()
        return -(taken * weights).mean() - self._entropy_weight * mean, mean

    def learn(self, choices: Integers, advantages: NDArray[np.float64]) -> float:
        """Take one step and return the mean entropy before it."""
        loss, entropy = self.loss(choices, advantages)
        loss.backward()
        self.optimizer.step()
        self.optimizer.clear_grad(set_to_zero=False)
        return float(entropy)


@dataclass(frozen=True, slots=True)
class Learned:
    """What one update saw: mean reward, the baseline it was compared with, mean entropy."""

    reward: float
    baseline: float
    entropy: float


class WidthController(Agent):
    """Proposes widths, and learns from their rewards against a moving baseline.

    The baseline is ``decay b + (1 - decay) r``, taken before it moves; the first rewards are their
    own baseline.
    """

    def __init__(self, decisions: Decisions, options: ControllerOptions, seed: int) -> None:
        with _CPU():
            paddle.seed(seed)
            policy = WidthPolicy(decisions, hidden=options.hidden, layers=options.layers)
            super().__init__(WidthReinforce(policy, options))
        self.policy = policy
        self._decay = options.baseline_decay
        self.baseline: float | None = None

    def sample(self, rng: np.random.Generator, count: int = 1) -> Integers:
        """Draw choices, int64 ``[count, decisions]``; the policy is not changed."""
        return draw(self.policy, rng.random((count, len(self.policy.decisions.sizes))))

    def learn(self, choices: Integers, rewards: NDArray[np.float64]) -> Learned:
        """Take one step on choices ``[B, decisions]`` and their rewards ``[B]``."""
        mean = float(rewards.mean())
        baseline = mean if self.baseline is None else self.baseline
        with _CPU():
            entropy = self.alg.learn(choices, rewards - baseline)
        self.baseline = self._decay * baseline + (1.0 - self._decay) * mean
        return Learned(mean, baseline, entropy)

    def state(self) -> dict[str, Any]:
        """Weights, optimiser and baseline."""
        named = dict(self.policy.named_parameters())
        return {
            "weights": {name: value.numpy() for name, value in named.items()},
            "optimizer": optimizer_arrays(self.alg.optimizer, named),
            "baseline": self.baseline,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        named = dict(self.policy.named_parameters())
        with _CPU():
            for name, value in named.items():
                value.set_value(paddle.to_tensor(state["weights"][name]))
            restore_optimizer(self.alg.optimizer, named, state["optimizer"])
        self.baseline = state["baseline"]
