"""The controller of a width search: the agent around ``WidthPolicy``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autodl.agents.options import ControllerOptions
from autodl.agents.policy_agent import Learned as Learned
from autodl.agents.policy_agent import PolicyAgent
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient
from autodl.agents.walk import Drawn
from autodl.agents.width_policy import PricedDecisions, WidthPolicy
from autodl.spaces.space import Integers


def reward(accuracy: float, cost: float, budget: float, exponent: float = -0.1) -> float:
    """``accuracy * (cost / budget) ** e`` with ``e`` 0 within the budget; continuous at it."""
    return accuracy if cost <= budget else accuracy * float((cost / budget) ** exponent)


def width_reinforce(policy: WidthPolicy, options: ControllerOptions) -> ReinforcePolicyGradient:
    """REINFORCE with the options of a ``Controller`` section."""
    return ReinforcePolicyGradient(
        policy,
        learning_rate=options.learning_rate,
        entropy_weight=options.entropy_weight,
        betas=(options.beta1, options.beta2),
        weight_decay=options.weight_decay,
    )


_EARLIER_LEAD = 1  # the start token was fed twice


class WidthController(PolicyAgent):
    """Proposes widths, and learns from their rewards against a moving baseline."""

    def __init__(self, decisions: PricedDecisions, options: ControllerOptions, seed: int) -> None:
        def make() -> ReinforcePolicyGradient:
            policy = WidthPolicy(decisions, hidden=options.hidden, layers=options.layers)
            return width_reinforce(policy, options)

        super().__init__(make, seed=seed, decay=options.baseline_decay)
        self.policy: WidthPolicy = self.alg.model

    def sample(self, rng: np.random.Generator, count: int = 1) -> Integers:
        """Draw choices, int64 ``[count, decisions]``; the policy is not changed."""
        drawn: Drawn = self.alg.sample(rng.random((count, len(self.policy.decisions.sizes))))
        return drawn.rows

    def state(self) -> dict[str, Any]:
        """Weights, optimiser, baseline, and how the policy begins."""
        return {**super().state(), "lead": self.policy.lead}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave; those of earlier versions begin as they did."""
        super().restore(state)
        self.policy.lead = state.get("lead", _EARLIER_LEAD)
