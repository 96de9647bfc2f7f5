"""Chains of blocks: which block stands in each place.

Every place of the network has its width and stride; what is chosen is the block. Layers are spelled
out in ``autodl/spaces/chain/plan.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autodl.errors import EncodingError
from autodl.spaces.foreign_json import check_names, read_names

JSON_VERSION = 1
# A value's position is its code, as in the published table; files hold names.
BLOCKS = ("identity", "mb_conv_3_by_3", "mb_conv_5_by_6")
"""Nothing, or an inverted bottleneck: the size of its kernel, and by how much it expands."""
STRIDES = (2, 1, 2, 1, 1, 2, 1, 1)
"""Of each place of NAS-Bench-Macro; where it is 2 the width changes, too."""


@dataclass(frozen=True, slots=True)
class ChainArchitecture:
    """The blocks of a chain, from its stem to its head.

    Raises:
        EncodingError: another number of blocks than places, or an unknown block.
    """

    blocks: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.blocks) != len(STRIDES):
            raise EncodingError(
                f"a chain has {len(STRIDES)} places for blocks, got {len(self.blocks)}"
            )
        check_names(self.blocks, BLOCKS, "a chain's block")

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; blocks are stored by name."""
        return {"kind": "chain", "version": JSON_VERSION, "blocks": list(self.blocks)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ChainArchitecture:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything that the values
                refuse.
        """
        return cls(read_names(value, "chain", JSON_VERSION, "blocks", "a chain"))
