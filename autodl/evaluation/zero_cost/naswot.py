"""NAS without training: how differently the ReLUs of a network answer to the pictures of a batch.

Source: Mellor et al., "Neural Architecture Search without Training", ICML 2021 (the score of its
second version).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.evaluation.zero_cost.score import Examples
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Relu
from autodl.plans.plan import Plan
from autodl.trial import TrialFailure

Kernel = NDArray[np.float64]


def agreements(values: NDArray[np.float32]) -> Kernel:
    """In how many units each two examples are on the same side of zero: ``[N, N]``, from 0 to U.

    That is ``U - d`` with the Hamming distance ``d`` of their codes of 0 and 1, by one product of
    matrices: where ``C`` counts the ones that two codes share, it is ``U - C_ii - C_jj + 2 C_ij``.

    Args:
        values: float32 ``[N, ...]``, U values each, what ReLUs are given. Zero is the negative
            side, and so is NaN. Whole numbers up to 2^24 are exact.
    """
    codes = (values > 0).reshape(len(values), -1).astype(np.float32)
    shared = (codes @ codes.T).astype(np.float64)
    ones = np.diag(shared)
    found: Kernel = codes.shape[1] - ones[:, None] - ones + 2 * shared
    return found


def log_determinant(kernel: Kernel) -> float:
    """``ln |det K|``; minus infinity of a singular one, as where two examples have equal codes."""
    sign, value = np.linalg.slogdet(kernel)
    return float(value) if sign > 0 else -np.inf


def relus_that_count(plan: Plan) -> Counter[int]:
    """By position of the layer that they read: how many ReLUs have a path to the output."""
    records = plan.records
    alive, waiting = {len(records) - 1}, [len(records) - 1]
    while waiting:
        for source in records[waiting.pop()].inputs:
            if source not in alive:
                alive.add(source)
                waiting.append(source)
    return Counter(
        records[position].inputs[0]
        for position in alive
        if isinstance(records[position].layer, Relu)
    )


class Naswot:
    """``ln |det K|`` of the agreements K of all codes, over all ReLUs that reach the output."""

    single_output = False

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Pass the examples forward once; labels are not read.

        Of several ReLUs that read the same layer the agreements are computed once, and each counts.

        Raises:
            TrialFailure: the network has no ReLU.
        """
        counts = relus_that_count(network.plan)
        if not counts:
            raise TrialFailure(f"{NEEDS_RELU}; this network has none")
        total = np.zeros((len(examples.inputs), len(examples.inputs)))
        seen = set[int]()

        def reading(source: int) -> object:
            def note(layer: nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
                if source not in seen:
                    seen.add(source)
                    total[...] += counts[source] * agreements(inputs[0].numpy())

            return note

        for record in network.plan.records:
            if isinstance(record.layer, Relu) and record.inputs[0] in counts:
                network.layer(record.name).register_forward_pre_hook(reading(record.inputs[0]))
        with paddle.no_grad():
            network(examples.inputs)
        return log_determinant(total)


NEEDS_RELU = "naswot tells networks apart by their ReLUs; jacobian, synflow, zico fit any network"
