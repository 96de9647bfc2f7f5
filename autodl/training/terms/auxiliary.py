"""A classifier in the middle of the network, which shortens the way of the gradient."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.recipes.parts import WeightOptions
from autodl.training.setting import Setting
from autodl.training.terms.term import Step


class Auxiliary:
    """``weight`` times the goal's loss of the auxiliary classifier, on the same truth.

    Source: Szegedy et al., CVPR 2015; the heads are those of DARTS.

    Raises:
        ConfigError: the network was built without an auxiliary classifier.
    """

    def __init__(self, setting: Setting, options: WeightOptions) -> None:
        network = setting.network
        head: PlanNetwork | None = getattr(network, "auxiliary", None)
        if head is None:
            raise ConfigError(
                f"the term Auxiliary of {setting.recipe.section} is for networks with an auxiliary"
                " classifier, as GenotypeNetwork on pictures of 32x32 or more; leave it out"
            )
        self._weight, self._head = options.weight, head
        plan = network.plan
        source = network.layer(plan.records[plan.auxiliary.source].name)
        self._features: paddle.Tensor | None = None
        source.register_forward_post_hook(self._keep)

    def _keep(self, layer: nn.Layer, inputs: object, features: paddle.Tensor) -> None:
        if layer.training:
            self._features = features

    def loss(self, step: Step) -> paddle.Tensor:
        """See ``Term``."""
        features, self._features = self._features, None
        with step.precision():
            outputs = self._head(features)
        return self._weight * step.goal.loss(outputs.astype("float32"), step.truth)
