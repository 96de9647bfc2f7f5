"""Batch-norm statistics measured anew, for weights that have moved."""

from __future__ import annotations

import paddle
from paddle import nn

from autodl.data.batches import Normalisation, iterate
from autodl.data.dataset import Pictures


@paddle.no_grad()  # type: ignore[untyped-decorator]
def estimate_again(
    network: nn.Layer, pictures: Pictures, normalisation: Normalisation, batch_size: int
) -> None:
    """Set running means and variances to the mean of those of all whole batches of ``pictures``.

    Dropout is off, weights stay as they are; the network is in evaluation mode afterwards.
    """
    norms = [layer for layer in network.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    momenta = [layer._momentum for layer in norms]
    network.eval()
    for layer in norms:
        layer.train()
    batches = iterate(pictures, batch_size, normalisation=normalisation, drop_last=True)
    for seen, (images, _) in enumerate(batches):
        for layer in norms:
            layer._momentum = seen / (seen + 1)  # of the mean so far: an average of all batches
        network(paddle.to_tensor(images))
    for layer, momentum in zip(norms, momenta, strict=True):
        layer._momentum = momentum
    network.eval()
