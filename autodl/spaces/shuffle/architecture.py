"""Networks of ShuffleNetV2-like blocks: which block stands in each place of each stage.

Widths belong to the network; what is chosen is the block. Layers are spelled out in
``autodl/spaces/shuffle/plan.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autodl.errors import EncodingError
from autodl.spaces.foreign_json import check_keys, check_names, check_version, short

JSON_VERSION = 1
BLOCKS = ("shuffle_3x3", "shuffle_5x5", "shuffle_7x7", "xception_3x3")
"""A depthwise convolution of that kernel between two of 1x1, or three pairs of both."""
REPEATS = (4, 4, 8, 4)
"""Blocks of each stage of the source; the first of a stage halves the maps."""


@dataclass(frozen=True, slots=True)
class ShuffleArchitecture:
    """The blocks of each stage, from the stem to the head.

    Raises:
        EncodingError: no stage, a stage without blocks, or an unknown block.
    """

    stages: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(tuple(blocks) for blocks in self.stages))
        if not self.stages or not all(self.stages):
            raise EncodingError("a shuffle network has a stage or more, each with a block or more")
        for blocks in self.stages:
            check_names(blocks, BLOCKS, "a block of a shuffle network")

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; blocks are stored by name."""
        stages = [list(blocks) for blocks in self.stages]
        return {"kind": "shuffle", "version": JSON_VERSION, "stages": stages}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ShuffleArchitecture:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything that the values
                refuse.
        """
        check_version(value, "shuffle", JSON_VERSION)
        check_keys(value, {"kind", "version", "stages"}, "a shuffle network")
        stages = value["stages"]
        if not isinstance(stages, list) or not all(isinstance(blocks, list) for blocks in stages):
            raise EncodingError(f"stages must be lists of names of blocks, got {short(stages)}")
        return cls(tuple(tuple(blocks) for blocks in stages))
