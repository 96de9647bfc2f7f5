"""NAS without training, the first version: how alike the gradients at different pictures are.

Source: Mellor et al., arXiv:2006.04647v1 (June 2020).
"""

from __future__ import annotations

import numpy as np
import paddle
from numpy.typing import NDArray

from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork

_K = 1e-5


def correlation_score(gradients: NDArray[np.floating]) -> float:
    """``-sum_i (ln(v_i + k) + 1 / (v_i + k))`` of the eigenvalues v of the rows' correlations.

    k is 1e-5. It is highest, about -N, where all rows differ. A row without spread has a
    correlation of 0 with all others, and of 1 with itself.

    Args:
        gradients: ``[N, D]``; computed with in float64. NaN or infinity give minus infinity.
    """
    rows = gradients.astype(np.float64)
    if not np.isfinite(rows).all():
        return -np.inf
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, 1)
    correlations = rows @ rows.T
    np.fill_diagonal(correlations, 1.0)
    values = np.linalg.eigvalsh((correlations + correlations.T) / 2).clip(0) + _K
    return float(-(np.log(values) + 1 / values).sum())


class Jacobian:
    """The score of the gradients of a network's one output by each picture."""

    single_output = True

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Pass the examples forward and back once; labels are not read.

        A network that does not depend on its inputs scores minus infinity.
        """
        for weight in network.parameters():
            weight.stop_gradient = True
        inputs = examples.inputs.detach()
        inputs.stop_gradient = False
        (gradients,) = paddle.grad(network(inputs).sum(), inputs, allow_unused=True)
        if gradients is None or not bool(gradients.any()):
            return -np.inf
        return correlation_score(gradients.flatten(1).numpy())
