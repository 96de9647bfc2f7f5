"""The control of all scores: how large a network is."""

from __future__ import annotations

from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork


class Macs:
    """Multiply-accumulates of one input."""

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Nothing is computed."""
        return float(network.plan.macs)


class Parameters:
    """Trainable parameters."""

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Nothing is computed."""
        return float(network.plan.parameters)
