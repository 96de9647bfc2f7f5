"""Whether candidates pull their meta weight in the same direction.

By the argument of APS the gradients of candidates that share much are aligned, so that these
train fast together and are badly told apart; those of candidates that share nothing are orthogonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from autodl.supernets.width.affine_sharing import AffineConv, Pair
from autodl.supernets.width.projections import Matrix
from autodl.supernets.width.supernet import Choices, Supernet


def cosine(one: Matrix, two: Matrix) -> float:
    """Cosine of the angle between two gradients of one shape, -1 to 1; NaN if one of them is 0."""
    scale = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float((one * two).sum()) / scale if scale else nan


def meta_gradients(
    network: Supernet,
    choices: Choices,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> list[tuple[Pair, Matrix]]:
    """What an architecture's cross-entropy wants of each meta kernel, in the order of the layers.

    The statistics of batch-norms are the batch's, and none is kept. Gradients that the network
    holds are dropped.

    Args:
        images: float32 ``[B, 3, H, W]``, normalised.
        labels: int64 ``[B]``.

    Returns:
        The pair of candidates, and the gradient, float64 ``[C_out, C_in, k, k]``, of each layer.
    """
    network.clear_gradients(set_to_zero=False)
    with network.norms_in("batch"):
        logits = network(paddle.to_tensor(images), choices)
        F.cross_entropy(logits, paddle.to_tensor(labels)).backward()
    found = [
        (pair, layer.weight.grad.numpy().astype(np.float64))
        for layer, pair in network.pairs(choices)
        if isinstance(layer, AffineConv)
    ]
    network.clear_gradients(set_to_zero=False)
    return found


def gradient_alignment(
    network: Supernet,
    architectures: Sequence[Choices] | NDArray[np.int64],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> float:
    """Mean cosine between the gradients of two candidates of a layer in the same network.

    Each architecture is compared with those in which one decision takes its next candidate (after
    the last the first), on the same pictures, in the layers that work with another candidate
    there. The mean is exactly 0 for independent candidates, whose gradients have no entry in
    common. NaN if there is nothing to choose, or if all gradients are 0.

    Args:
        images, labels: see ``meta_gradients``.
    """
    cosines = []
    for choices in architectures:
        base = meta_gradients(network, choices, images, labels)
        for decision, widths in enumerate(network.space.candidates):
            if len(widths) == 1:
                continue
            changed = np.array(choices)
            changed[decision] = (changed[decision] + 1) % len(widths)
            other = meta_gradients(network, changed, images, labels)
            cosines += [
                cosine(one, two)
                for (pair, one), (other_pair, two) in zip(base, other, strict=True)
                if pair != other_pair
            ]
    known = [value for value in cosines if not np.isnan(value)]
    return float(np.mean(known)) if known else nan
