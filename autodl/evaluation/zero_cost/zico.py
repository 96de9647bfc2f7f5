"""ZiCo: gradients that are large and alike, whatever the batch.

Source: Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients", ICLR
2023, eq. 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autodl.evaluation.zero_cost.gradients import kernels, loss_gradients
from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork
from autodl.training.goal import Truth


def inverse_variation(layers: Sequence[NDArray[np.floating]]) -> float:
    """``sum_l ln sum_w mean |g_w| / deviation of |g_w|`` over layers l and their weights w.

    Mean and deviation (of all batches, not of a sample) are over the batches. Weights whose
    gradient does not vary are left out, and layers in which none varies.

    Args:
        layers: ``[batches, weights]`` each.

    Returns:
        Minus infinity where nothing varies, or a gradient is not finite.
    """
    terms = []
    for gradients in layers:
        sizes = np.abs(gradients.astype(np.float64))
        deviations = sizes.std(axis=0)
        varies = deviations > 0
        if varies.any():
            terms.append(np.log((sizes.mean(axis=0)[varies] / deviations[varies]).sum()))
    total = float(np.sum(terms)) if terms else -np.inf
    return total if np.isfinite(total) else -np.inf


class Zico:
    """The score over the two halves of a batch, its two batches (the source has two of 128)."""

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Pass each half forward and back once."""
        weights = kernels(network)
        halves = [
            [gradient.numpy().ravel() for gradient in loss_gradients(network, half, weights)]
            for half in _halves(examples)
        ]
        return inverse_variation([np.stack(pair) for pair in zip(*halves, strict=True)])


def _halves(examples: Examples) -> list[Examples]:
    middle = len(examples.inputs) // 2
    return [
        replace(examples, inputs=examples.inputs[part], truth=Truth(examples.truth.targets[part]))
        for part in (slice(0, middle), slice(middle, 2 * middle))
    ]
