"""Batch-norm statistics of one architecture: those of a supernet are of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import paddle
from paddle import nn


def estimate_statistics(network: nn.Layer, batches: Iterable[paddle.Tensor]) -> None:
    """Give a network's batch-norms the means of the statistics of some batches.

    Each batch counts the same: behind the i-th one ``1 - 1 / i`` of the old mean stays. Variances
    are Paddle's, of the batch and not of the population. Nothing else of the network is changed,
    and it is left in evaluation mode.

    Args:
        batches: inputs ``[B, ...]``, of training examples.
    """
    norms = [layer for layer in network.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    momenta = [norm._momentum for norm in norms]
    network.train()
    with paddle.no_grad():
        for number, batch in enumerate(batches, start=1):
            for norm in norms:
                norm._momentum = 1.0 - 1.0 / number
            network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm._momentum = momentum
    network.eval()
