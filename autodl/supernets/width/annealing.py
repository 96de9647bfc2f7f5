"""How fast sharing is given up: the dynamics of the projections, simulated before any training.

What moves P and Q depends on no picture, so the curve of Phi is known beforehand. From noise of a
thousandth the loss first has to escape a plateau, then Phi falls like a sigmoid; its place in time
depends on the product of rate and steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, isfinite

import numpy as np

from autodl.errors import ConfigError
from autodl.supernets.width.projections import LossKind, Matrix, descend, layout, noisy, sharing

_COARSE = 1_000  # steps of a trial; the rate of a longer phase is found by scaling
_POINTS = 100  # of the curve
_HIGH, _LOW = 0.9, 0.1
_ARRIVAL = 0.85  # of the annealed phase: where Phi shall be at a tenth
_TRIALS = 12
_MOST_OPERATIONS, _FEWEST = 5e12, 50  # of foretelling: minutes on a core, and steps


@dataclass(frozen=True, slots=True)
class AxisShape:
    """One channel axis of a layer; see ``affine_sharing.ChannelAxis``."""

    widths: tuple[int, ...]
    meta: int
    times: int = 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels of each candidate."""
        return tuple(self.times * width for width in self.widths)


@dataclass(frozen=True, slots=True)
class LayerShape:
    """The axes of one layer, and its groups; a layer with a fixed axis has None there."""

    output: AxisShape | None
    inner: AxisShape | None
    per_pair: bool = False


@dataclass(frozen=True, slots=True)
class Descent:
    """How projections move: ``descend``'s settings but the rate, and where they start."""

    momentum: float = 0.9
    weight: float = 5e-3
    kind: LossKind = "l1"
    overlap: float = 1.0
    noise: float = 1e-3
    decay: float = 0.0


@dataclass(frozen=True, slots=True)
class Annealing:
    """A rate and what it does: Phi as a share of its start, ``(update, share)`` from update 0.

    ``high`` and ``low`` are the updates at which Phi falls below 90 % and 10 %, infinite if never.
    """

    rate: float
    updates: int
    curve: tuple[tuple[int, float], ...]
    high: float
    low: float

    @property
    def left(self) -> float:
        """Phi at the end, as a share of its start."""
        return self.curve[-1][1]

    def told(self) -> str:
        """The curve for people, at ten updates."""
        every = max(len(self.curve) // 10, 1)
        points = [*self.curve[:-1:every], self.curve[-1]]
        return "Phi by update: " + ", ".join(f"{at}: {100 * share:.1f} %" for at, share in points)

    def __str__(self) -> str:
        if not isfinite(self.high):
            told = f"does not fall below 90 % in {self.updates} updates"
        elif not isfinite(self.low):
            told = f"falls below 90 % after {self.high:.0f}, but not below 10 %, of {self.updates}"
            told += " updates"
        else:
            told = f"falls below 90 % after {self.high:.0f} and below 10 % after {self.low:.0f} of"
            told += f" {self.updates} updates"
        end = 100 * self.left
        return f"projection rate {self.rate:.3g}: Phi {told}, and ends at {end:.1f} %"


def simulate(
    layers: Sequence[LayerShape], descent: Descent, rate: float, updates: int, seed: int = 0
) -> Annealing:
    """Let the projections of some layers move, and follow the sum of their Phi.

    Layers of one shape differ by their noise only, so one of them stands for all. The updates at
    which 90 % and 10 % are passed are interpolated between points of the curve.

    Raises:
        ConfigError: nothing is shared at the start.
    """
    counts = Counter(layers)
    stacks, places = _start(list(counts), descent, np.random.default_rng((seed, 1)))
    speeds = [np.zeros_like(stack) for stack in stacks]

    def level() -> float:
        return sum(
            count * _level(layer, [stacks[stack][row] for stack, row in places[layer]])
            for layer, count in counts.items()
        )

    first = level()
    if first <= 0:
        raise ConfigError(
            f"nothing is shared at overlap {descent.overlap:g}; start the transition from 1"
        )
    every = max(updates // _POINTS, 1)
    curve = [(0, 1.0)]
    for update in range(1, updates + 1):
        for index, stack in enumerate(stacks):
            stacks[index], speeds[index] = descend(
                stack,
                speeds[index],
                rate=rate,
                momentum=descent.momentum,
                weight=descent.weight,
                kind=descent.kind,
                decay=descent.decay,
            )
        if update % every == 0 or update == updates:
            curve.append((update, level() / first))
    return Annealing(rate, updates, tuple(curve), _passing(curve, _HIGH), _passing(curve, _LOW))


def foretell(
    layers: Sequence[LayerShape], descent: Descent, rate: float, updates: int, seed: int = 0
) -> Annealing:
    """What ``simulate`` finds, with fewer and larger steps where that would take long.

    Time on the curve is rate times updates. The curve is told in the updates of the training, and
    less exactly the fewer steps there are: at least 50, and as many as some minutes allow.
    """
    work = sum(_operations(layer) for layer in set(layers))
    steps = min(updates, max(int(_MOST_OPERATIONS / work), _FEWEST))
    times = updates / steps
    found = simulate(layers, descent, rate * times, steps, seed)
    curve = tuple((round(times * update), share) for update, share in found.curve)
    return Annealing(rate, updates, curve, times * found.high, times * found.low)


def _operations(layer: LayerShape) -> float:
    """Multiply-accumulates of a step: two products of ``[C, N]`` and ``[N, N]`` for each axis."""
    total = 0.0
    for axis, other in ((layer.output, layer.inner), (layer.inner, layer.output)):
        if axis is not None:
            groups = len(other.widths) if layer.per_pair and other is not None else 1
            total += 2.0 * groups * axis.times * axis.meta * sum(axis.sizes) ** 2
    return total


def choose_rate(
    layers: Sequence[LayerShape], descent: Descent, updates: int, seed: int = 0
) -> Annealing:
    """The rate for which Phi falls from 90 % to 10 % within an annealed phase.

    A tenth is reached after 85 % of the updates. Time on the curve is rate times updates, so a long
    phase is searched with fewer, larger steps; the choice is then simulated in full.

    Args:
        updates: of the projections in the annealed phase.

    Raises:
        ConfigError: no rate does it.
    """
    coarse = min(updates, _COARSE)
    rate = _first_rate(layers, descent, coarse, seed)
    goal = _ARRIVAL * coarse
    for _ in range(_TRIALS):
        found = simulate(layers, descent, rate, coarse, seed)
        if isfinite(found.low) and abs(found.low - goal) < 0.02 * coarse:
            break
        rate *= found.low / goal if isfinite(found.low) else 1.3
    rate *= coarse / updates
    for _ in range(3):
        found = simulate(layers, descent, rate, updates, seed)
        if found.high >= 1 and found.low <= updates:
            return found
        rate *= 1.1
    raise ConfigError(
        f"no rate lets Phi fall from 90 % to 10 % within {updates} updates of the projections"
        f" ({found}); give more epochs or a smaller Supernet.projection_interval, or more noise"
    )


def _first_rate(layers: Sequence[LayerShape], descent: Descent, updates: int, seed: int) -> float:
    """Large enough that Phi reaches a tenth; found from a slow one upwards."""
    rate = 0.02 * (1 - descent.momentum) / descent.weight / updates
    for _ in range(32):
        if isfinite(simulate(layers, descent, rate, updates, seed).low):
            return rate
        rate *= 1.4
    raise ConfigError(
        f"Phi does not fall to 10 % within {updates} updates at any rate; give more epochs (without"
        " noise nothing moves, and candidates whose sum exceeds Supernet.meta_width go on sharing)"
    )


def _start(
    layers: Sequence[LayerShape], descent: Descent, rng: np.random.Generator
) -> tuple[list[Matrix], dict[LayerShape, list[tuple[int, int]]]]:
    """Projections of one shape in a stack, and where those of a layer are: P, then Q."""
    stacks: dict[tuple[int, ...], list[Matrix]] = {}
    places: dict[LayerShape, list[tuple[tuple[int, ...], int]]] = {}
    for layer in layers:
        for axis, other in ((layer.output, layer.inner), (layer.inner, layer.output)):
            if axis is None:
                matrix: Matrix = np.ones((1, 1, 1))
            else:
                start = layout(axis.widths, axis.meta, descent.overlap, axis.times)
                groups = len(other.widths) if layer.per_pair and other is not None else 1
                matrix = noisy(start, descent.noise, rng, groups)
            rows = stacks.setdefault(matrix.shape, [])
            places.setdefault(layer, []).append((matrix.shape, len(rows)))
            rows.append(matrix)
    order = {shape: index for index, shape in enumerate(stacks)}
    return [np.stack(rows) for rows in stacks.values()], {
        layer: [(order[shape], row) for shape, row in pair] for layer, pair in places.items()
    }


def _level(layer: LayerShape, pair: Sequence[Matrix]) -> float:
    output, inner = ((1,) if axis is None else axis.sizes for axis in (layer.output, layer.inner))
    return sharing(pair[0], output, pair[1], inner).level


def _passing(curve: Sequence[tuple[int, float]], share: float) -> float:
    """The update at which a falling curve passes a share, interpolated; infinite if it does not."""
    for (before, high), (after, low) in pairwise(curve):
        if low < share:
            return before + (after - before) * (high - share) / (high - low)
    return inf


def annealed_updates(pictures: int, batch_size: int, epochs: int, interval: int) -> int:
    """Updates of the projections in an annealed phase of so many epochs."""
    return ceil(epochs * max(pictures // batch_size, 1) / interval)
