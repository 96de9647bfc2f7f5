"""One factor for all widths, so that a network costs what it may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import prod

from autodl.data.resize import picture_side
from autodl.plans.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Relu,
)
from autodl.plans.plan import Plan, for_input
from autodl.plans.step_table import StepTable

STEP = 8  # widths are multiples of it, as processors like them
MOST = 4096
_PASSING = (Add, AvgPool, BatchNorm, Gelu, GlobalAvgPool, GlobalMaxPool, MaxPool, Relu)


def scaled(width: int, factor: float) -> int:
    """The multiple of 8 next to ``factor * width``, at least 8; of two equally near, the larger."""
    return max(STEP, STEP * int(width * factor / STEP + 0.5))


def widest(cost: Callable[[float], float], widest_of_all: int, budget: float) -> float:
    """The largest factor of all widths with which a network keeps to a budget.

    Found by bisection over what becomes of the largest width: multiples of 8 up to 4,096. So it
    takes ten costs or so, and the largest width is exactly a multiple of 8.

    Args:
        cost: factor -> what the network costs, which does not fall where the factor rises.
        widest_of_all: the largest width, 1 or more.
        budget: the most that it may cost.

    Returns:
        The factor; that of a largest width of 8 where even this costs more.
    """
    low, high = 1, MOST // STEP + 1  # low is taken, high is not
    while high - low > 1:
        middle = (low + high) // 2
        if cost(middle * STEP / widest_of_all) <= budget:
            low = middle
        else:
            high = middle
    return low * STEP / widest_of_all


def work(plan: Plan, value_cost: float) -> float:
    """Multiply-accumulates of a plan, and so many more for each value that passes through memory.

    That is each value that a norm, an activation, a sum or a pool reads: they compute next to
    nothing, but in a training they take their time.
    """
    values = 0
    for record in plan.records:
        if isinstance(record.layer, _PASSING):
            values += sum(prod(plan.records[i].shape) for i in record.inputs)
    return plan.macs + value_cost * values


def sides(full: int, first: int | None) -> dict[int, float]:
    """The sides that pictures have in a training, and the share of the epochs with each.

    They grow as ``Train`` has it by default, by 4 pixels at a time over three quarters of many
    epochs. A first side of None, or one that is not smaller, is the ``full`` one always.
    """
    epochs = 120
    grown = Counter(picture_side(epoch, epochs, full, first, 0.75) for epoch in range(epochs))
    return {side: count / epochs for side, count in grown.items()}


def step_ms(
    plan: Plan, table: StepTable, forms: Mapping[str, str], shares: Mapping[int, float]
) -> float:
    """Milliseconds that a picture takes forth and back, on average over a training.

    Args:
        forms: parts of the network with the branches that they are trained with.
        shares: sides of the pictures and how often each is met; one that the network cannot take,
            which no training can have, counts as the full one.

    Raises:
        UnknownNameError: the table has not all kinds of layers.
    """
    return sum(share * table.predict(_of_side(plan, side), forms) for side, share in shares.items())


def _of_side(plan: Plan, side: int) -> Plan:
    channels, *full = plan.input_shape
    if full == [side, side]:
        return plan
    try:
        return for_input(plan, (channels, side, side))
    except ValueError:
        return plan
