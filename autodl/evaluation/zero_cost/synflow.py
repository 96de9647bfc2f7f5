"""SynFlow: how much flows through a network whose weights are all positive.

Sources: Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic
flow", NeurIPS 2020, eq. 1 and algorithm 1; without batch-norms as Abdelfattah et al., ICLR 2021.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle import nn

from autodl.evaluation.zero_cost.gradients import kernels
from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork


def _unchanged(
    layer: nn.Layer, inputs: tuple[paddle.Tensor, ...], output: paddle.Tensor
) -> paddle.Tensor:
    return inputs[0]


class SynFlow:
    """``ln sum |w| dR/d|w|`` over the weights, R the sum of the outputs for an input of ones.

    The logarithm is ours: the sum of a deep network is above 1e100. It ranks as the sum does.
    """

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Pass one input of ones forward and back, in float64; of the examples the shape is read.

        Every weight and bias is made positive, batch-norms and dropout do nothing.
        """
        network.to(dtype="float64")
        network.eval()
        with paddle.no_grad():
            for value in network.parameters():
                value.set_value(value.abs())
        for layer in network.sublayers():
            if isinstance(layer, nn.BatchNorm2D):
                layer.register_forward_post_hook(_unchanged)
        weights = kernels(network)
        flow = network(paddle.ones([1, *examples.inputs.shape[1:]], dtype="float64")).sum()
        gradients = paddle.grad(flow, weights, allow_unused=True)
        total = sum(
            float((weight * gradient).sum())
            for weight, gradient in zip(weights, gradients, strict=True)
            if gradient is not None
        )
        return float(np.log(total)) if 0 < total < np.inf else -np.inf
