"""An optimiser's state under the parameters' own names.

Paddle files the state under names that it makes up afresh in every process and for every
network built before (``linear_7.w_0_moment1_0``). Stored under the names of the parameters
in their network it can be restored anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import paddle
from numpy.typing import NDArray


def optimizer_arrays(
    optimizer: paddle.optimizer.Optimizer, named: Mapping[str, paddle.Tensor]
) -> dict[str, NDArray[np.float32]]:
    """Moments and velocities as ``{"parameter|slot": array}``; empty before the first step.

    Args:
        named: the optimised parameters under their names in the network.
    """
    raw = optimizer.state_dict()
    raw.pop("LR_Scheduler", None)  # schedules are functions of the step, nothing to store
    arrays = {}
    for name, parameter in named.items():
        prefix = f"{parameter.name}_"
        for key, value in raw.items():
            if key.startswith(prefix):
                arrays[f"{name}|{key.removeprefix(prefix)}"] = value.numpy()
    return arrays


def restore_optimizer(
    optimizer: paddle.optimizer.Optimizer,
    named: Mapping[str, paddle.Tensor],
    arrays: Mapping[str, NDArray[np.float32]],
) -> None:
    """Put back what ``optimizer_arrays`` gave, into a fresh or a used optimiser.

    Raises:
        KeyError: the arrays name a parameter that is not in ``named``.
    """
    raw = {}
    for key, value in arrays.items():
        name, slot = key.rsplit("|", 1)
        raw_name = f"{named[name].name}_{slot}"
        raw[raw_name] = paddle.to_tensor(value)
        raw[raw_name].name = raw_name
    optimizer.set_state_dict(raw)
