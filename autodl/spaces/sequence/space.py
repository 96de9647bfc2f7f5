"""The space of networks for series: every architecture is a row of decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.membership import check_used, codes_of, of_kind, values_of
from autodl.spaces.rows import check_choices, random_row
from autodl.spaces.sequence.architecture import (
    GATES,
    HEADS,
    MAX_BLOCKS,
    OPERATIONS,
    SequenceArchitecture,
    SequenceBlock,
)
from autodl.spaces.space import Integers

_EITHER = (False, True)


@dataclass(frozen=True, slots=True)
class SequenceSpace:
    """All chains of ``blocks`` blocks over the named operations, gates and heads.

    An architecture is a row of categorical decisions: of each block the operation, the gate,
    whether it skips and whether it halves the length, and last the head. A code is a position
    among the choices of this space.

    Raises:
        ConfigError: not 1 to 64 blocks, or nothing to choose from, an unknown name, or one twice.
    """

    blocks: int = 6
    operations: tuple[str, ...] = OPERATIONS
    gates: tuple[str, ...] = GATES
    heads: tuple[str, ...] = HEADS

    kind: ClassVar[str] = "sequence"

    def __post_init__(self) -> None:
        if not 1 <= self.blocks <= MAX_BLOCKS:
            raise ConfigError(f"Space.blocks must be 1 to {MAX_BLOCKS}, got {self.blocks}")
        for name, known in (("operations", OPERATIONS), ("gates", GATES), ("heads", HEADS)):
            chosen = tuple(getattr(self, name))
            object.__setattr__(self, name, chosen)
            check_choices(f"Space.{name}", chosen, known)

    @property
    def alternatives(self) -> tuple[tuple[Any, ...], ...]:
        """The values that each decision is between, in the order of the row."""
        block = (self.operations, self.gates, _EITHER, _EITHER)
        return (*(block * self.blocks), self.heads)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each decision."""
        return tuple(map(len, self.alternatives))

    @property
    def labels(self) -> tuple[str, ...]:
        """The block and what of it each decision is."""
        of_block = ("operation", "gate", "skip", "halve")
        blocks = (f"block {number} {name}" for number in range(self.blocks) for name in of_block)
        return (*blocks, "head")

    def decode(self, row: Integers) -> SequenceArchitecture:
        """The architecture with these codes: int ``[4 * blocks + 1]``.

        Raises:
            EncodingError: another number of codes, no integers, or one that is out of range.
        """
        *values, head = values_of(row, self.alternatives)
        made = [SequenceBlock(*values[first : first + 4]) for first in range(0, len(values), 4)]
        return SequenceArchitecture(tuple(made), head)

    def encode(self, architecture: SequenceArchitecture) -> Integers:
        """Codes of an architecture: the inverse of ``decode``, int64 ``[4 * blocks + 1]``.

        Raises:
            ConfigError: it is none of this space.
        """
        return codes_of(_values(self.check(architecture)), self.alternatives)

    def check(self, architecture: object) -> SequenceArchitecture:
        """Return the architecture if it is of this space, else raise ConfigError."""
        network = of_kind(architecture, SequenceArchitecture, "networks for series")
        if len(network.blocks) != self.blocks:
            raise ConfigError(
                f"an architecture of {len(network.blocks)} blocks is not of this space of"
                f" {self.blocks}; set Space.blocks"
            )
        for some, value in zip(self.alternatives, _values(network), strict=True):
            check_used([value], some, "the architecture uses")
        return network

    def sample(self, rng: np.random.Generator) -> SequenceArchitecture:
        """An architecture with every decision uniform and independent."""
        return self.decode(random_row(self.sizes, rng))


def _values(architecture: SequenceArchitecture) -> list[Any]:
    """The decisions behind an architecture, in the order of the row."""
    blocks = [
        value
        for block in architecture.blocks
        for value in (block.operation, block.gate, block.skip, block.halve)
    ]
    return [*blocks, architecture.head]
