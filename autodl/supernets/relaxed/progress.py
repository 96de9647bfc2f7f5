"""What a relaxed supernet says of itself after an epoch."""

from __future__ import annotations

from collections import Counter
from math import log

import numpy as np
from numpy.typing import NDArray

from autodl.supernets.relaxed.network import RelaxedNetwork


def entropies(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of weights ``[N, K]`` the entropy of each row in nats, ``[N]``; ``0 ln 0`` is 0."""
    found: NDArray[np.float64] = -(weights * np.log(np.where(weights > 0, weights, 1.0))).sum(1)
    return found


def mean_entropy(network: RelaxedNetwork) -> float:
    """Of the weights on all edges, in nats."""
    return float(np.concatenate([entropies(rows) for rows in network.weights().values()]).mean())


def progress_line(network: RelaxedNetwork, number: int, total: int) -> str:
    """How undecided the weights are, and what is on the edges of the architecture they stand for.

    Args:
        number: of the epoch, from 1.
        total: number of epochs.
    """
    most = log(len(network.space.tables[0].operations))
    counts = Counter(network.space.operations_of(network.strongest()))
    chosen = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return (
        f"[Relaxed][Epoch {number}/{total}] entropy: {mean_entropy(network):.4f} of {most:.4f},"
        f" chosen: {chosen}"
    )
