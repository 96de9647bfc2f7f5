"""The space of networks of ShuffleNetV2-like blocks: a decision for every place (SPOS)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.membership import check_used, of_kind
from autodl.spaces.rows import check_choices, check_row, random_row
from autodl.spaces.shuffle.architecture import BLOCKS, REPEATS, ShuffleArchitecture
from autodl.spaces.space import Integers


@dataclass(frozen=True, slots=True)
class ShuffleSpace:
    """All networks over the named blocks; 4 ** 20 over all four in the source's stages.

    A row has the block of each place, stage by stage; a code is a position among the blocks of this
    space.

    Args:
        blocks: names of the blocks that places choose from.
        repeats: places of each stage.

    Raises:
        ConfigError: no block, an unknown one, or one twice; no stage, or one without a place.
    """

    blocks: tuple[str, ...] = BLOCKS
    repeats: tuple[int, ...] = REPEATS

    kind: ClassVar[str] = "shuffle"

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        object.__setattr__(self, "repeats", tuple(self.repeats))
        check_choices("Space.blocks", self.blocks, BLOCKS)
        if not self.repeats or min(self.repeats) < 1:
            raise ConfigError(
                "Space.repeats needs a stage or more, each with a place or more; got"
                f" {', '.join(map(str, self.repeats)) or 'none'}"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each place."""
        return (len(self.blocks),) * sum(self.repeats)

    @property
    def labels(self) -> tuple[str, ...]:
        """The stage and the place in it of each decision, counted from the stem."""
        return tuple(
            f"stage {stage} block {place}"
            for stage, places in enumerate(self.repeats)
            for place in range(places)
        )

    def decode(self, row: Integers) -> ShuffleArchitecture:
        """The network with these codes: int ``[places]``.

        Raises:
            EncodingError: another number of codes, no integers, or one that is out of range.
        """
        names = [self.blocks[code] for code in check_row(row, self.sizes)]
        ends = np.cumsum(self.repeats).tolist()
        return ShuffleArchitecture(
            tuple(
                tuple(names[end - places : end])
                for end, places in zip(ends, self.repeats, strict=True)
            )
        )

    def encode(self, architecture: ShuffleArchitecture) -> Integers:
        """Codes of a network: the inverse of ``decode``, int64 ``[places]``.

        Raises:
            ConfigError: it is none of this space.
        """
        stages = self.check(architecture).stages
        codes = [self.blocks.index(block) for blocks in stages for block in blocks]
        return np.array(codes, np.int64)

    def check(self, architecture: object) -> ShuffleArchitecture:
        """Return the architecture if it is of this space, else raise ConfigError."""
        network = of_kind(architecture, ShuffleArchitecture, "shuffle networks")
        if (places := tuple(map(len, network.stages))) != self.repeats:
            raise ConfigError(
                f"the network has stages of {', '.join(map(str, places))} blocks, and this space"
                f" of {', '.join(map(str, self.repeats))}"
            )
        check_used(chain.from_iterable(network.stages), self.blocks, "the network uses")
        return network

    def sample(self, rng: np.random.Generator) -> ShuffleArchitecture:
        """A network with every block uniform and independent."""
        return self.decode(random_row(self.sizes, rng))
