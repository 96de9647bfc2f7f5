"""What channel numbers cost: named counting conventions, and exact sums over decided layers.

A network's multiply-accumulates are a sum over its convolutions, and each of them depends on two
decisions only, that of its output and that of its input. So a look-up table for each convolution
gives the cost of any architecture, and of the decided part of one (APS' FLOPs table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.plans.layers import Conv, Linear
from autodl.plans.plan import Plan, Record

FIRST_PRIME = 1_000_003  # above any multiple of a channel number in a plan


@dataclass(frozen=True, slots=True)
class Convention:
    """What is counted beside the convolutions; batch-norms, ReLUs and pools never are."""

    shortcuts: bool
    classifier: bool
    bias: bool


CONVENTIONS: Mapping[str, Convention] = {
    # APS on CIFAR-10 ("20.6M", "60.3M"): stem and 3x3 convolutions
    "stem_and_3x3": Convention(shortcuts=False, classifier=False, bias=False),
    # as Plan.macs: all convolutions and the classifier's weights
    "all": Convention(shortcuts=True, classifier=True, bias=False),
    # APS on ImageNet ("1.83G", "314M"): and one for each bias of the classifier
    "all_and_bias": Convention(shortcuts=True, classifier=True, bias=True),
}


def _counts(record: Record, convention: Convention) -> bool:
    if isinstance(record.layer, Linear):
        return convention.classifier
    return convention.shortcuts or not is_shortcut(record.name)


def is_shortcut(name: str) -> bool:
    """Whether a record is part of a shortcut that is not the identity."""
    return ".shortcut." in name


def count_macs(plan: Plan, convention: str = "all") -> int:
    """Multiply-accumulates of a plan for one picture, by a convention's name."""
    rule = CONVENTIONS[convention]
    total = 0
    for record in plan.records:
        if _counts(record, rule):
            total += record.layer.macs(record.shape)
            if isinstance(record.layer, Linear) and rule.bias:
                total += record.layer.out_features
    return total


def count_weights(plan: Plan, convention: str = "all") -> int:
    """Weights (and biases) of what a convention counts; ``Plan.parameters`` has batch-norms too."""
    rule = CONVENTIONS[convention]
    total = 0
    for record in plan.records:
        if isinstance(record.layer, Conv | Linear) and _counts(record, rule):
            total += record.layer.parameters
            if isinstance(record.layer, Linear) and not rule.bias:
                total -= record.layer.out_features
    return total


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a channel count comes from: ``times`` the width of a decision, or fixed (None)."""

    decision: int | None
    times: int

    def widths(self, candidates: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """The channel counts for every candidate of the decision."""
        if self.decision is None:
            return (self.times,)
        return tuple(self.times * width for width in candidates[self.decision])


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """The cost of one layer, int64 ``[output candidates, input candidates]``.

    ``step`` is the decision after which it is known.
    """

    name: str
    output: Axis
    input: Axis
    table: NDArray[np.int64]
    step: int


def axes_of(
    make_plan: Callable[[tuple[int, ...]], Plan], layers: Sequence[int]
) -> tuple[Plan, tuple[Axis, ...]]:
    """Which decision each record's channels follow, and how: found by building the plan once.

    Every decision gets a prime width of its own, so that a channel count tells whose multiple it
    is. In this plan no two decisions agree, so all shortcuts that can be there are there.

    Args:
        make_plan: channel numbers -> plan.
        layers: the decision behind each channel number.

    Returns:
        That plan, and the axis of every record's output.
    """
    primes = _primes(max(layers) + 1)
    plan = make_plan(tuple(primes[decision] for decision in layers))
    axes = []
    for record in plan.records:
        channels = record.shape[0]
        owner = [i for i, prime in enumerate(primes) if channels % prime == 0]
        axes.append(Axis(owner[0], channels // primes[owner[0]]) if owner else Axis(None, channels))
    return plan, tuple(axes)


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = FIRST_PRIME
    while len(found) < count:
        if all(number % divisor for divisor in range(3, 1200, 2)):  # 1200 ** 2 > numbers here
            found.append(number)
        number += 2
    return found


def terms_of(
    plan: Plan, axes: Sequence[Axis], candidates: Sequence[Sequence[int]], convention: str
) -> tuple[Term, ...]:
    """Look-up tables of all that a convention counts.

    Args:
        plan, axes: from ``axes_of``.
        candidates: the widths of each decision.
        convention: a name in ``CONVENTIONS``.
    """
    rule = CONVENTIONS[convention]
    terms = []
    for position, record in enumerate(plan.records):
        layer = record.layer
        if not isinstance(layer, Conv | Linear) or not _counts(record, rule):
            continue
        output, inner = axes[position], axes[record.inputs[0]]
        rows = np.array(output.widths(candidates), np.int64)
        columns = np.array(inner.widths(candidates), np.int64)
        if isinstance(layer, Linear):
            table = np.outer(rows, columns + rule.bias)
        else:
            _, height, width = record.shape
            each = height * width * layer.kernel[0] * layer.kernel[1]
            depthwise = layer.groups > 1
            table = each * np.outer(rows, np.ones_like(columns) if depthwise else columns)
            if is_shortcut(record.name) and layer.stride == (1, 1):
                table[rows[:, None] == columns] = 0  # the shape stays: it is the identity
        step = max(-1 if axis.decision is None else axis.decision for axis in (output, inner))
        terms.append(Term(record.name, output, inner, table, step))
    return tuple(terms)


def cost(terms: Sequence[Term], choices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Multiply-accumulates of architectures, or of the decided part of them.

    Args:
        choices: positions of candidates, int64 ``[B, decided]``; the first decisions come first.

    Returns:
        int64 ``[B]``: the sum of all layers whose input and output are both decided.
    """
    count, decided = choices.shape
    total = np.zeros(count, np.int64)
    none = np.zeros(count, np.int64)
    for term in terms:
        if term.step < decided:
            row, column = (
                none if axis.decision is None else choices[:, axis.decision]
                for axis in (term.output, term.input)
            )
            total += term.table[row, column]
    return total


def cost_bounds(
    terms: Sequence[Term], choices: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Between which costs all architectures lie that begin with these choices.

    No architecture lies outside; whether the bounds are reached is not said.

    Args:
        choices: int64 ``[B, decided]``.

    Returns:
        Lowest and highest, int64 ``[B]`` each.
    """
    count, decided = choices.shape
    lowest, highest = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for term in terms:
        low = high = term.table
        index: list[NDArray[np.int64]] = []
        for axis_number, axis in ((0, term.output), (1, term.input)):
            if axis.decision is not None and axis.decision < decided:
                index.append(choices[:, axis.decision])
            else:
                low = low.min(axis=axis_number, keepdims=True)
                high = high.max(axis=axis_number, keepdims=True)
                index.append(np.zeros(count, np.int64))
        lowest += low[index[0], index[1]]
        highest += high[index[0], index[1]]
    return lowest, highest
