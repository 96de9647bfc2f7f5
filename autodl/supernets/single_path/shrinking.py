"""Taking the weakest operations away from a supernet while it is trained, by their angles.

Source: Hu et al., Angle-based Search Space Shrinking, ECCV 2020 (arXiv:2004.13431), algorithm 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError
from autodl.spaces.space import Integers
from autodl.spaces.subspace import Subspace, Values
from autodl.supernets.single_path.angle import AngleTable
from autodl.supernets.single_path.costs import CostTable
from autodl.supernets.single_path.network import SinglePathNetwork
from autodl.supernets.single_path.options import ShrinkingOptions
from autodl.supernets.single_path.sampling import paths_of
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Epoch, Setting

Scores = tuple[NDArray[np.float64], ...]
Measure = Callable[[Integers], NDArray[np.float64]]
Drop = int | Literal["every"]
_SHRINKING = 9  # stream of random numbers beside those of the training
_LISTED = 50_000  # architectures that are all measured, in the place of children that are drawn
_TRIES = 10  # batches of children for an operation, where few are new and within the limit


def scores(
    left: Subspace[Any], measure: Measure, children: int, rng: np.random.Generator
) -> Scores:
    """The mean measure of the architectures that have an operation, for each of every decision.

    Of a space of up to 50,000 all count. Of a larger one so many different children of each
    operation are drawn; those that were drawn for another count as well, up to that number.

    Args:
        measure: of rows of ``left``, ``[N, decisions]``: ``[N]``, NaN where one is not allowed.

    Returns:
        Float64 ``[values left]`` for each decision; minus infinity where no child is allowed.
    """
    sums = [np.zeros(size) for size in left.sizes]
    counts = [np.zeros(size, np.int64) for size in left.sizes]

    def count(rows: Integers, measured: NDArray[np.float64], most: int) -> None:
        for place, size in enumerate(left.sizes):
            for value in range(size):
                owned = measured[rows[:, place] == value][: most - counts[place][value]]
                sums[place][value] += owned.sum()
                counts[place][value] += len(owned)

    def allowed(rows: Integers) -> tuple[Integers, NDArray[np.float64]]:
        measured = measure(rows)
        legal = ~np.isnan(measured)
        return rows[legal], measured[legal]

    if prod(left.sizes) <= _LISTED:
        count(*allowed(np.indices(left.sizes).reshape(len(left.sizes), -1).T), _LISTED)
    else:
        _count_children(left, children, rng, counts, allowed, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [total / number for total, number in zip(sums, counts, strict=True)]
    return tuple(np.where(np.isnan(mean), -np.inf, mean) for mean in means)


def _count_children(
    left: Subspace[Any],
    children: int,
    rng: np.random.Generator,
    counts: Sequence[Integers],
    allowed: Callable[[Integers], tuple[Integers, NDArray[np.float64]]],
    count: Callable[[Integers, NDArray[np.float64], int], None],
) -> None:
    """Draw children of each operation until it has so many, or hardly any are new and allowed."""
    seen: set[bytes] = set()
    for place, size in enumerate(left.sizes):
        for value in range(size if size > 1 else 0):
            for _ in range(_TRIES):
                if (short := children - int(counts[place][value])) <= 0:
                    break
                rows = rng.integers(left.sizes, size=(short, len(left.sizes)))
                rows[:, place] = value
                fresh = {row.tobytes(): row for row in rows if row.tobytes() not in seen}
                seen |= fresh.keys()
                if fresh:
                    count(*allowed(np.array(list(fresh.values()))), children)


def weakest(scored: Sequence[NDArray[np.float64]], drop: Drop) -> list[tuple[int, int]]:
    """The operations to take away: decisions and positions, the weakest first.

    No decision loses its last one. Of equal scores the first decision's goes, and its first value.

    Args:
        drop: how many of all, or ``every``: one of each decision that has two.
    """
    ranked = sorted(
        (float(score), place, value)
        for place, values in enumerate(scored)
        if len(values) > 1
        for value, score in enumerate(values)
    )
    chosen: list[tuple[int, int]] = []
    lost = [0] * len(scored)
    for _, place, value in ranked:
        enough = lost[place] == 1 if drop == "every" else len(chosen) == drop
        if not enough and lost[place] + 1 < len(scored[place]):
            chosen.append((place, value))
            lost[place] += 1
    return chosen


def without(left: Subspace[Any], dropped: Sequence[tuple[int, int]]) -> Subspace[Any]:
    """What is left without these operations, decisions and positions among those left before."""
    values: Values = tuple(
        tuple(code for value, code in enumerate(codes) if (place, value) not in dropped)
        for place, codes in enumerate(left.values)
    )
    return Subspace(left.whole, values)


def most_rounds(sizes: Sequence[int], drop: Drop, target: int) -> int:
    """How often a space shrinks at most until it has ``target`` architectures.

    The fewest are lost where the decision with the most operations always loses the next.
    """
    remaining, rounds = list(sizes), 0
    while prod(remaining) > target:
        rounds += 1
        if drop == "every":
            remaining = [max(size - 1, 1) for size in remaining]
            continue
        for _ in range(drop):
            remaining[remaining.index(max(remaining))] -= max(remaining) > 1
    return rounds


class Shrinking(Hook):
    """After some epochs, and then again and again, the operations with the smallest angles go.

    The angle is the one between the weights before the training and those of now, see
    ``AngleTable``. It ends where ``target`` architectures are left at most, with the epochs between
    two shrinkings still to go. The weights and the schedule go on.

    Raises:
        ConfigError: the network has no paths; the space is small enough; the training may be too
            short; no architecture is within the limit; or the path Fair would be left with unlike
            numbers of operations.
    """

    key = "shrinking"

    def __init__(self, setting: Setting, options: ShrinkingOptions) -> None:
        self._network = network = paths_of(setting.network, "Shrinking of Train.hooks")
        self._options, self._seed, self._epoch = options, setting.seed, 0
        self._costs = CostTable.of(network.blocks)
        self._first = _weights(network)
        sizes, target = network.space.sizes, options.target
        if (rounds := most_rounds(sizes, options.drop, target)) == 0:
            raise ConfigError(
                f"Shrinking: the space has {prod(sizes):,} architectures, no more than target"
                f" {target:,}: nothing is to go; lower target, or leave the hook out"
            )
        needed = options.first_epochs + rounds * options.epochs
        if setting.recipe.epochs < needed:
            raise ConfigError(
                f"Shrinking to {target:,} architectures may take {rounds} times {options.epochs}"
                f" epochs behind the first {options.first_epochs}: let Train.epochs be {needed} or"
                f" more, got {setting.recipe.epochs}, or drop more at once"
            )
        least = self._costs.shared + sum(int(costs.min()) for costs in self._costs.chosen)
        if options.most_macs is not None and least > options.most_macs:
            raise ConfigError(
                f"Shrinking: no architecture has {options.most_macs:,} multiply-accumulates or"
                f" fewer, the smallest has {least:,}; raise most_macs"
            )
        path = setting.recipe.path
        if path is not None and path.name == "Fair" and options.drop != "every":
            raise ConfigError(
                "Shrinking: the path Fair needs as many operations in every layer; set drop: every"
            )

    def before_epoch(self, epoch: Epoch) -> None:
        """Note which epoch it is."""
        self._epoch = epoch.number

    def after_epoch(self) -> Mapping[str, float]:
        """Shrink where it is time to; the number of architectures that are left."""
        options, behind = self._options, self._epoch + 1 - self._options.first_epochs
        left = self._network.left
        if behind >= 0 and behind % options.epochs == 0 and prod(left.sizes) > options.target:
            self._shrink()
        return {"architectures_left": float(prod(self._network.left.sizes))}

    def _shrink(self) -> None:
        network, options = self._network, self._options
        left = network.left
        table = AngleTable.of(network.space, network.blocks, self._first, _weights(network))
        table = table if options.shared else table.own()

        def measure(rows: Integers) -> NDArray[np.float64]:
            whole = left.in_whole(rows)
            angles = table.angles(whole)
            if options.most_macs is None:
                return angles
            return np.where(self._costs.macs(whole) <= options.most_macs, angles, np.nan)

        rng = np.random.default_rng((self._seed, _SHRINKING, self._epoch))
        scored = scores(left, measure, options.children, rng)
        network.left = without(left, weakest(scored, options.drop))

    def state(self) -> Any:
        """What is left of the space."""
        return {"left": [list(values) for values in self._network.left.values]}

    def restore(self, state: Any) -> None:
        """Go on with what was left."""
        values = tuple(tuple(map(int, values)) for values in state["left"])
        self._network.left = Subspace(self._network.space, values)


def _weights(network: SinglePathNetwork) -> dict[str, NDArray[Any]]:
    return {name: value.numpy() for name, value in network.named_parameters()}
