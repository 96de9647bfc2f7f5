"""The space of a width search: which channel numbers each decision chooses from.

Decisions stand in the order of computation. The width that feeds the classifier is not searched:
it is fixed to its widest candidate, as by the authors of APS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError, lookup
from autodl.plans.plan import Plan
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.classic.mobilenet_v2 import STAGE_BLOCKS
from autodl.spaces.classic.resnet_plan import Shortcuts
from autodl.spaces.membership import of_kind
from autodl.spaces.rows import check_row
from autodl.spaces.width.architecture import CELLS, NETWORKS, WidthArchitecture
from autodl.spaces.width.cost import CONVENTIONS, Axis, Term, axes_of, cost, terms_of
from autodl.spaces.width.plan import cell_factors, width_plan

_MOST_DRAWS = 200_000
_DRAW = 2_000


@dataclass(frozen=True)
class WidthSpace:
    """All ways to give the layers of a network one of their candidate widths.

    ``candidates`` are the widths of each decision, ascending; ``layers`` is the decision behind
    each channel number of the architecture. ``convention`` says what ``macs`` counts.

    Raises:
        ConfigError: no candidate, one below 1, or one that is there twice.
    """

    network: str
    candidates: tuple[tuple[int, ...], ...]
    layers: tuple[int, ...]
    classes: int = 10
    image_size: int = 32
    convention: str = "all"
    cells: CellPair | None = field(default=None, repr=False)
    cells_per_stage: int = 3
    stages: int = 3

    kind: ClassVar[str] = "widths"

    def __post_init__(self) -> None:
        for widths in self.candidates:
            check_candidates(widths)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of candidates of each decision."""
        return tuple(map(len, self.candidates))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The layers whose width each decision is, counted from 0."""
        places = [
            [str(layer) for layer, behind in enumerate(self.layers) if behind == decision]
            for decision in range(self.decisions)
        ]
        return tuple(f"width of layer{'s' * (len(some) > 1)} {', '.join(some)}" for some in places)

    @property
    def decisions(self) -> int:
        """Number of decisions, those with a single candidate included."""
        return len(self.candidates)

    def decode(self, choices: Sequence[int] | NDArray[np.int64]) -> WidthArchitecture:
        """The architecture with these positions of candidates, one for each decision.

        Raises:
            EncodingError: another number of choices, or one out of range.
        """
        row = check_row(choices, self.sizes).tolist()
        widths = [
            candidates[choice] for choice, candidates in zip(row, self.candidates, strict=True)
        ]
        return WidthArchitecture(self.network, tuple(widths[i] for i in self.layers), self.cells)

    def encode(self, architecture: object) -> NDArray[np.int64]:
        """Positions of candidates: the inverse of ``decode``, int64 ``[decisions]``.

        Raises:
            ConfigError: the architecture is not of this space.
        """
        widths = of_kind(architecture, WidthArchitecture, "widths")
        if widths.network != self.network or widths.cells != self.cells:
            raise ConfigError(f"this space is of {self.network}, got {widths.network}")
        if len(widths.channels) != len(self.layers):
            raise ConfigError(
                f"this space has {len(self.layers)} channel numbers, got {len(widths.channels)}"
            )
        choices = np.full(self.decisions, -1, np.int64)
        for layer, (decision, width) in enumerate(zip(self.layers, widths.channels, strict=True)):
            candidates = self.candidates[decision]
            if width not in candidates:
                raise ConfigError(
                    f"layer {layer} has {width} channels, this space has {list(candidates)}"
                )
            choice = candidates.index(width)
            if choices[decision] not in (-1, choice):
                raise ConfigError(f"layer {layer} has {width} channels, but is tied to another")
            choices[decision] = choice
        return choices

    def check(self, architecture: object) -> WidthArchitecture:
        """Return the architecture if it is of this space, else raise ConfigError."""
        self.encode(architecture)
        return cast(WidthArchitecture, architecture)

    def plan(self, choices: Sequence[int] | NDArray[np.int64], shortcuts: Shortcuts) -> Plan:
        """The plain network."""
        return self._plan(self.decode(choices).channels, shortcuts)

    def _plan(self, channels: tuple[int, ...], shortcuts: Shortcuts) -> Plan:
        return width_plan(
            WidthArchitecture(self.network, channels, self.cells),
            classes=self.classes,
            image_size=self.image_size,
            shortcuts=shortcuts,
            cells_per_stage=self.cells_per_stage,
            stages=self.stages,
        )

    @cached_property
    def general(self) -> tuple[Plan, tuple[Axis, ...]]:
        """The plan in which no two decisions agree, and the axis of every record's output."""
        return axes_of(partial(self._plan, shortcuts="norm"), self.layers)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Look-up tables of the layers' costs."""
        return terms_of(*self.general, self.candidates, self.convention)

    def macs(self, choices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Costs of ``choices`` ``[B, decided]``, those of the decided layers: int64 ``[B]``."""
        return cost(self.terms, choices)

    @cached_property
    def _terms_by_step(self) -> tuple[tuple[Term, ...], ...]:
        return tuple(
            # what depends on no decision is known with the first
            tuple(term for term in self.terms if max(term.step, 0) == step)
            for step in range(self.decisions)
        )

    def added_cost(self, choices: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the last of the choices ``[B, decided]`` adds to the cost: int64 ``[B]``."""
        return cost(self._terms_by_step[choices.shape[1] - 1], choices)

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Costs of the network with the smallest and with the widest candidates everywhere."""
        ends = np.array([[0] * self.decisions, [len(widths) - 1 for widths in self.candidates]])
        smallest, largest = self.macs(ends).tolist()
        return smallest, largest

    def uniform(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Choices that are uniform and independent, int64 ``[count, decisions]``."""
        return rng.integers(self.sizes, size=(count, self.decisions))

    def sample(self, rng: np.random.Generator) -> WidthArchitecture:
        """An architecture with uniform, independent choices."""
        return self.decode(self.uniform(rng, 1)[0])

    def at_cost(
        self, rng: np.random.Generator, count: int, lowest: float, highest: float
    ) -> NDArray[np.int64]:
        """Random choices whose cost is in a range, ``lowest <= macs <= highest``.

        Each decision is drawn with probabilities that grow or shrink evenly with the candidate's
        position, at the rate for which the expected cost is in the middle of the range; what lies
        outside is thrown away. int64 ``[count, decisions]``, without repetitions.

        Raises:
            ConfigError: so few architectures are in the range that they are not found.
        """
        tilt = self._tilt(rng, (lowest + highest) / 2)
        found: dict[bytes, NDArray[np.int64]] = {}
        for _ in range(_MOST_DRAWS // _DRAW):
            drawn = self._tilted(rng, tilt, _DRAW)
            macs = self.macs(drawn)
            for row in drawn[(macs >= lowest) & (macs <= highest)]:
                found.setdefault(row.tobytes(), row)
            if len(found) >= count:
                return np.stack(list(found.values())[:count])
        raise ConfigError(
            f"found {len(found)} of {count} architectures of {lowest:,.0f} to {highest:,.0f} MACs;"
            " widen Width.budget_range or change Width.budget_macs"
        )

    def _tilt(self, rng: np.random.Generator, goal: float) -> float:
        low, high = -8.0, 8.0
        for _ in range(12):
            middle = (low + high) / 2
            if self.macs(self._tilted(rng, middle, 500)).mean() < goal:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def _tilted(self, rng: np.random.Generator, tilt: float, count: int) -> NDArray[np.int64]:
        columns = []
        for widths in self.candidates:
            weights = np.exp(tilt * np.arange(len(widths)))
            columns.append(rng.choice(len(widths), size=count, p=weights / weights.sum()))
        return np.stack(columns, axis=1).astype(np.int64)


def check_candidates(widths: Sequence[int]) -> None:
    """Raise ConfigError unless these are ascending widths, each once, from 1."""
    if not widths:
        raise ConfigError("a decision needs at least one candidate width, got none")
    if min(widths) < 1:
        raise ConfigError(f"a candidate width is at least 1, got {min(widths)}")
    if twice := [width for width in widths if list(widths).count(width) > 1]:
        raise ConfigError(
            f"the candidate width {twice[0]} is there twice in {list(widths)}; name it once"
        )
    if list(widths) != sorted(widths):
        raise ConfigError(f"candidate widths ascend, got {list(widths)}")


def make_width_space(
    network: str,
    candidates: Sequence[int],
    *,
    classes: int = 10,
    image_size: int = 32,
    convention: str = "all",
    blockwise: bool = False,
    cells: CellPair | None = None,
    cells_per_stage: int = 3,
    stages: int = 3,
) -> WidthSpace:
    """The space of a network from the candidate widths of its first stage.

    The CIFAR ResNets have the same candidates in all stages; a ResNet-18 doubles them in each; a
    MobileNet-v2 and cells keep the proportions of their standard networks.

    Args:
        candidates: widths of the first stage.
        convention: a name in ``CONVENTIONS``.
        blockwise: the blocks of a ResNet's stage give the same number of channels.

    Raises:
        ConfigError: unusable candidates, or cells that are missing or superfluous.
        UnknownNameError: no such network or convention.
    """
    lookup(dict.fromkeys(NETWORKS), network, "Width.network")
    lookup(CONVENTIONS, convention, "Width.convention")
    check_candidates(candidates)
    if (network == CELLS) != (cells is not None):
        raise ConfigError(f"Width.cells is given exactly if Width.network is {CELLS}")
    layers, factors = _layout(network, blockwise, cells_per_stage, stages)
    scaled = [tuple(max(round(c * factor), 1) for c in candidates) for factor in factors]
    for factor, widths in zip(factors, scaled, strict=True):
        if len(set(widths)) < len(widths):
            raise ConfigError(
                f"candidate widths {list(candidates)} become {list(widths)} in a layer of"
                f" {factor:g} times the first stage's width; take some that are further apart"
            )
    scaled[layers[-1]] = scaled[layers[-1]][-1:]
    return WidthSpace(
        network,
        tuple(scaled),
        layers,
        classes=classes,
        image_size=image_size,
        convention=convention,
        cells=cells,
        cells_per_stage=cells_per_stage,
        stages=stages,
    )


def _layout(
    network: str, blockwise: bool, cells_per_stage: int, stages: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The decision behind each channel number, and what each decision multiplies widths by."""
    if network == "mobilenet_v2":
        return _mobilenet_layout()
    if network == CELLS:
        factors = cell_factors(cells_per_stage, stages)
        return tuple(range(len(factors))), factors
    if network == "resnet18":
        return _resnet_layout(8, (1.0, 2.0, 4.0, 8.0), blockwise)
    return _resnet_layout((int(network.removeprefix("resnet")) - 2) // 2, (1.0,) * 3, blockwise)


def _resnet_layout(
    blocks: int, stages: Sequence[float], blockwise: bool
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    layers, factors = [0], [stages[0]]
    each = blocks // len(stages)
    for block in range(blocks):
        stage, index = divmod(block, each)
        factors.append(stages[stage])
        layers.append(len(factors) - 1)
        if blockwise and index:
            layers.append(layers[-2])  # what the block before gives
        else:
            factors.append(stages[stage])
            layers.append(len(factors) - 1)
    return tuple(layers), tuple(factors)


# Inferred from the configurations that APS released: every number in them is among these.
_MOBILE_STEM, _MOBILE_LAST = 2.0, 80.0
_MOBILE_STAGES = (1.0, 1.5, 2.0, 4.0, 6.0, 10.0, 20.0)
_MOBILE_EXPANSION = (0, 3, 3, 3, 6, 6, 6)  # hidden widths in multiples of the block's input


def _mobilenet_layout() -> tuple[tuple[int, ...], tuple[float, ...]]:
    layers, factors = [0, 0], [_MOBILE_STEM]
    given = 0
    for stage, blocks in enumerate(STAGE_BLOCKS):
        output = None
        for _ in range(blocks):
            if stage:
                factors.append(_MOBILE_EXPANSION[stage] * factors[given])
                layers += [len(factors) - 1] * 2
            if output is None:
                factors.append(_MOBILE_STAGES[stage])
                output = len(factors) - 1
            layers.append(output)
            given = output
    factors.append(_MOBILE_LAST)
    return (*layers, len(factors) - 1), tuple(factors)
