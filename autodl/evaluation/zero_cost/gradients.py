"""Scores of the gradients of the loss: their norm, and SNIP's saliency.

Sources: Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, section 3.1; Lee et
al., "SNIP", ICLR 2019, summed over a network as the former do.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle import nn

from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork


def kernels(network: nn.Layer) -> list[paddle.Tensor]:
    """The weights of convolutions and linear layers: all that have two axes or more."""
    return [weight for weight in network.parameters() if weight.ndim > 1]


def loss_gradients(
    network: PlanNetwork, examples: Examples, weights: list[paddle.Tensor]
) -> list[paddle.Tensor]:
    """Those of the task's loss, one for each weight; zeros where the loss does not depend on it."""
    wanted = {id(weight) for weight in weights}
    others = [one for one in network.parameters() if id(one) not in wanted]
    free = [one for one in others if not one.stop_gradient]
    for one in free:  # a convolution cannot be asked for some of its gradients alone
        one.stop_gradient = True
    try:
        loss = examples.goal.loss(network(examples.inputs), examples.truth)
        found = paddle.grad(loss, weights, allow_unused=True)
    finally:
        for one in free:
            one.stop_gradient = False
    return [
        paddle.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, found, strict=True)
    ]


def finite(value: float) -> float:
    """The value, or minus infinity where it is NaN."""
    return -np.inf if np.isnan(value) else float(value)


class GradientNorm:
    """The sum over layers of the Euclidean norm of the loss's gradient by their weights."""

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Pass the examples forward and back once."""
        gradients = loss_gradients(network, examples, kernels(network))
        return finite(sum(float(paddle.linalg.norm(gradient)) for gradient in gradients))


class Snip:
    """``sum |w dL/dw|`` over the weights: what the loss would feel of leaving each of them out."""

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Pass the examples forward and back once."""
        weights = kernels(network)
        found = loss_gradients(network, examples, weights)
        pairs = zip(weights, found, strict=True)
        return finite(sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs))
