"""The form in which a plan's network is trained: plain, or with what only training needs."""

from __future__ import annotations

from typing import Unpack

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Conv
from autodl.plans.plan import Plan
from autodl.recipes.options import TrainOptions
from autodl.recipes.parts import BranchesOptions, ScaleOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.replacement import BlockOptions, replace_convolutions


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
    recipe = recipe_of(options)
    auxiliary = recipe.has("Auxiliary")
    if auxiliary and plan.auxiliary is None:
        raise ConfigError(
            f"Train.auxiliary_weight {options.auxiliary_weight:g} is for networks with an auxiliary"
            " classifier, as GenotypeNetwork on pictures of 32x32 or more; use"
            " Train.auxiliary_weight=0"
        )
    network = PlanNetwork(plan, seed, auxiliary=auxiliary)
    formed: PlanNetwork = recipe.form.factory()(network, recipe.form.options)
    return formed


def plain(network: PlanNetwork, options: NoOptions) -> PlanNetwork:
    """The network as it is."""
    return network


def asymmetric(network: PlanNetwork, options: ScaleOptions) -> PlanNetwork:
    """Asymmetric convolution blocks; see ``reparam/asymmetric.py``."""
    return _replaced(network, "acb", initial_scale=options.scale)


def diverse(network: PlanNetwork, options: NoOptions) -> PlanNetwork:
    """Diverse branch blocks; see ``reparam/diverse.py``."""
    return _replaced(network, "dbb")


def repvgg(network: PlanNetwork, options: NoOptions) -> PlanNetwork:
    """Blocks of RepVGG; see ``reparam/repvgg.py``."""
    return _replaced(network, "repvgg")


def branched(network: PlanNetwork, options: BranchesOptions) -> PlanNetwork:
    """Blocks of several kinds, each in a part of the network.

    Raises:
        ConfigError: a part has no convolution, or one that cannot take its blocks.
    """
    records = network.plan.records
    for part, kind in options.of.items():
        paths = [
            record.name
            for record in records
            if record.name.startswith(f"{part}.") and isinstance(record.layer, Conv)
        ]
        if not paths:
            raise ConfigError(f"the form branches: this network has no convolution in {part!r}")
        own: BlockOptions = {"initial_scale": options.scale} if kind == "acb" else {}
        try:
            replace_convolutions(network, kind, only=paths, **own)
        except ReparameterisationError as error:
            raise ConfigError(f"the form branches: {part} cannot be {kind}: {error}") from None
    return network


def _replaced(network: PlanNetwork, kind: str, **own: Unpack[BlockOptions]) -> PlanNetwork:
    """Put blocks in the place of convolutions.

    Raises:
        ConfigError: no convolution can take them.
    """
    result = replace_convolutions(network, kind, **own)
    if not result.replaced:
        kept = "; ".join(f"{path}: {reason}" for path, reason in list(result.kept.items())[:3])
        raise ConfigError(
            f"Train.branches={kind} finds no convolution of this network that it could"
            f" replace ({kept or 'it has none'}); use Train.branches=none"
        )
    return network
