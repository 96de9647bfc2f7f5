"""The space of chains: rows of eight decisions (NAS-Bench-Macro)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autodl.spaces.chain.architecture import BLOCKS, STRIDES, ChainArchitecture
from autodl.spaces.membership import check_used, of_kind
from autodl.spaces.rows import check_choices, check_row, random_row
from autodl.spaces.space import Integers


@dataclass(frozen=True, slots=True)
class ChainSpace:
    """All chains over the named blocks; 6,561 over all three, of which 3,969 are different.

    A row has the block of each place; a code is a position among the blocks of this space.

    Raises:
        ConfigError: no block, an unknown one, or one twice.
    """

    blocks: tuple[str, ...] = BLOCKS

    kind: ClassVar[str] = "chain"

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        check_choices("Space.blocks", self.blocks, BLOCKS)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each place."""
        return (len(self.blocks),) * len(STRIDES)

    @property
    def labels(self) -> tuple[str, ...]:
        """The place of each decision, counted from the stem."""
        return tuple(f"block {place}" for place in range(len(STRIDES)))

    def decode(self, row: Integers) -> ChainArchitecture:
        """The chain with these codes: int ``[8]``.

        Raises:
            EncodingError: another number of codes, no integers, or one that is out of range.
        """
        return ChainArchitecture(tuple(self.blocks[code] for code in check_row(row, self.sizes)))

    def encode(self, architecture: ChainArchitecture) -> Integers:
        """Codes of a chain: the inverse of ``decode``, int64 ``[8]``.

        Raises:
            ConfigError: it is none of this space.
        """
        blocks = self.check(architecture).blocks
        return np.array([self.blocks.index(block) for block in blocks], np.int64)

    def check(self, architecture: object) -> ChainArchitecture:
        """Return the architecture if it is of this space, else raise ConfigError."""
        chain = of_kind(architecture, ChainArchitecture, "chains of blocks")
        check_used(chain.blocks, self.blocks, "the chain uses")
        return chain

    def sample(self, rng: np.random.Generator) -> ChainArchitecture:
        """A chain with every block uniform and independent."""
        return self.decode(random_row(self.sizes, rng))

    def canonical(self, architecture: ChainArchitecture) -> ChainArchitecture:
        """The same network with its identities behind the other blocks of equal width.

        An identity in a place that keeps width and size is no layer at all, so such a place may
        as well be the last of its width. In a place with a stride it is a layer and stays.

        Raises:
            ConfigError: it is none of this space.
        """
        runs: list[list[str]] = []
        for block, stride in zip(self.check(architecture).blocks, STRIDES, strict=True):
            if stride > 1 or not runs:
                runs += [[block], []]
            else:
                runs[-1].append(block)
        ordered = (sorted(run, key=lambda block: block == "identity") for run in runs)
        return ChainArchitecture(tuple(block for run in ordered for block in run))
