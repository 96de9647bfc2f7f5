"""The space of EAT-NAS' mobile networks: samples, mutations, blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autodl.errors import EncodingError
from autodl.spaces.membership import of_kind
from autodl.spaces.mobile.architecture import (
    _NAMES,
    BLOCKS,
    PRIMITIVES,
    Codes,
    MobileArchitecture,
    _block,
    _codes,
)
from autodl.spaces.space import Integers


@dataclass(frozen=True, slots=True)
class MobileSpace:
    """All 288 ** 7 mobile networks: every block has every combination of the primitives.

    A row is the codes of all blocks, one block behind the other: ``[7, 5]`` is a view of it.
    """

    kind: ClassVar[str] = "mobile"
    blocks: ClassVar[int] = BLOCKS
    choices: ClassVar[tuple[int, ...]] = tuple(map(len, PRIMITIVES.values()))
    """Number of values of each primitive, in the order of the codes."""
    sizes: ClassVar[tuple[int, ...]] = choices * BLOCKS
    labels: ClassVar[tuple[str, ...]] = tuple(
        f"block {place} {name}" for place in range(BLOCKS) for name in _NAMES
    )
    """The block and what of it each decision is, counted from the stem."""

    def decode(self, row: Codes) -> MobileArchitecture:
        """The architecture with these codes: int ``[35]``, or ``[7, 5]``, block by block.

        Raises:
            EncodingError: another shape, no integers, or a code that is out of range.
        """
        array, view = np.asarray(row), (BLOCKS, len(_NAMES))
        if array.shape not in ((len(self.sizes),), view) or array.dtype.kind not in "iu":
            raise EncodingError(
                f"a mobile network's codes are {BLOCKS} rows of {len(_NAMES)} integers, got"
                f" {array.dtype} of shape {list(array.shape)}"
            )
        return MobileArchitecture(tuple(_block(*codes) for codes in array.reshape(view).tolist()))

    def encode(self, architecture: MobileArchitecture) -> Integers:
        """Codes of an architecture: the inverse of ``decode``, int64 ``[35]``.

        Raises:
            ConfigError: it is none of this space.
        """
        blocks = self.check(architecture).blocks
        return np.array([code for block in blocks for code in _codes(block)], np.int64)

    def check(self, architecture: object) -> MobileArchitecture:
        """Return the architecture if it is of this space, else raise ConfigError."""
        return of_kind(architecture, MobileArchitecture, "mobile networks")

    def sample(self, rng: np.random.Generator) -> MobileArchitecture:
        """An architecture with every primitive of every block uniform and independent."""
        return self.decode(rng.integers(self.choices, size=(BLOCKS, len(_NAMES))))

    def mutate(
        self, architecture: MobileArchitecture, rng: np.random.Generator
    ) -> MobileArchitecture:
        """Give one primitive of one block another value; all three choices are uniform.

        Raises:
            ConfigError: the architecture is none of this space.
        """
        blocks = list(self.check(architecture).blocks)
        place, primitive = rng.integers(BLOCKS), rng.integers(len(_NAMES))
        codes, count = list(_codes(blocks[place])), self.choices[primitive]
        codes[primitive] = int(codes[primitive] + rng.integers(1, count)) % count
        blocks[place] = _block(*codes)
        return MobileArchitecture(tuple(blocks))
