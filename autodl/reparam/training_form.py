"""The form in which a plan's network is trained: plain, or with what only training needs."""

from __future__ import annotations

from typing import Any

from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan
from autodl.recipes.options import TrainOptions
from autodl.reparam.replacement import replace_convolutions


def training_network(plan: Plan, options: TrainOptions, seed: int | None = None) -> PlanNetwork:
    """Build a plan's network with what the options ask for.

    That is blocks in the place of convolutions, and the plan's auxiliary classifier.

    Args:
        seed: draws the initial weights; None takes what Paddle's global generator gives next. The
            kernels that both forms have start from the same values.

    Raises:
        ConfigError: branches are asked for, and no convolution can take them, or an auxiliary
            classifier, and there is none.
    """
    if options.auxiliary_weight and plan.auxiliary is None:
        raise ConfigError(
            f"Train.auxiliary_weight {options.auxiliary_weight:g} is for networks with an auxiliary"
            " classifier, as GenotypeNetwork on pictures of 32x32 or more; use"
            " Train.auxiliary_weight=0"
        )
    network = PlanNetwork(plan, seed, auxiliary=options.auxiliary_weight > 0)
    if options.branches == "none":
        return network
    own: dict[str, Any] = {}
    if options.branches == "acb":
        own["initial_scale"] = options.branch_scale
    result = replace_convolutions(network, options.branches, **own)
    if not result.replaced:
        kept = "; ".join(f"{path}: {reason}" for path, reason in list(result.kept.items())[:3])
        raise ConfigError(
            f"Train.branches={options.branches} finds no convolution of this network that it could"
            f" replace ({kept or 'it has none'}); use Train.branches=none"
        )
    return network
