"""An optimiser's state under the parameters' own names.

Paddle files the state under names that it makes up afresh in every process, for every network
and for every optimiser built before (``linear_7.w_0_moment1_0``). Stored under the names of the
parameters in their network it can be restored anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    return {key: value.numpy() for key, value in _slots(optimizer, named).items()}


def restore_optimizer(
    optimizer: paddle.optimizer.Optimizer,
    named: Mapping[str, paddle.Tensor],
    arrays: Mapping[str, NDArray[np.float32]],
) -> None:
    """Put back what ``optimizer_arrays`` gave, into a fresh or a used optimiser.

    Raises:
        KeyError: the arrays name a parameter that is not in ``named``, or another optimiser's
            slot.
    """
    slots = _slots(optimizer, named)
    if slots and not arrays:  # back to before the first step
        optimizer._accumulators.clear()
        optimizer._already_create_accumulator.clear()
        return
    if arrays and not slots:  # Paddle would make them in the first step
        block = paddle.static.default_main_program().global_block()
        optimizer._create_accumulators(
            block, [value for value in named.values() if not value.stop_gradient]
        )
        slots = _slots(optimizer, named)
    for key, value in arrays.items():
        slots[key].set_value(paddle.to_tensor(value))


def velocities(
    optimizer: paddle.optimizer.Optimizer, parameters: Sequence[paddle.Tensor]
) -> list[paddle.Tensor]:
    """SGD's velocity of each parameter; zeros before the first step."""
    known = optimizer._accumulators.get("velocity", {})
    return [known.get(one.name, paddle.zeros_like(one)) for one in parameters]


def _slots(
    optimizer: paddle.optimizer.Optimizer, named: Mapping[str, paddle.Tensor]
) -> dict[str, paddle.Tensor]:
    """The live tensors; the state of a schedule is not among them: ours are pure functions."""
    return {
        f"{name}|{slot}": tensors[parameter.name]
        for name, parameter in named.items()
        for slot, tensors in optimizer._accumulators.items()
        if parameter.name in tensors
    }
