"""Networks for series as a chain of blocks.

A block applies an operation, perhaps lets a gate decide what passes, perhaps adds what entered it,
and perhaps halves the length. What the last block gives is read over time by the ``head``. Layers
are spelled out in ``autodl/spaces/sequence/plan.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autodl.errors import EncodingError, did_you_mean
from autodl.spaces.foreign_json import check_keys, check_version, short

JSON_VERSION = 1
MAX_BLOCKS = 64
# A value's position is its code; files hold names, and new ones go to the end.
OPERATIONS = (
    *("conv_3", "conv_5", "conv_9"),
    *("dil_conv_3_by_2", "dil_conv_3_by_4", "dil_conv_3_by_8"),
    *("sep_conv_9", "sep_conv_17"),
    *("max_pool_3", "avg_pool_3"),
    *("lstm", "gru", "skip_connect"),
)
GATES = ("none", "linear", "temporal", "channel")
HEADS = ("mean", "max", "last")


def _named(what: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EncodingError(
            f"a {what} is one of {', '.join(known)}; got {short(value)}."
            f"{did_you_mean(str(value), known)}"
        )


@dataclass(frozen=True, slots=True)
class SequenceBlock:
    """One block.

    Attributes:
        operation: one of ``OPERATIONS``; each keeps channels and length.
        gate: what the operation's result is multiplied by, a sigmoid between 0 and 1 of what
            entered: ``linear``, one for every value (Dauphin et al., ICML 2017), ``temporal``, one
            for every step, ``channel``, one for every channel (Hu et al., CVPR 2018), or none.
        skip: whether what entered the block is added.
        halve: whether the block ends with a maximum over pairs of steps.

    Raises:
        EncodingError: another value.
    """

    operation: str
    gate: str = "none"
    skip: bool = False
    halve: bool = False

    def __post_init__(self) -> None:
        _named("block's operation", self.operation, OPERATIONS)
        _named("block's gate", self.gate, GATES)
        for name in ("skip", "halve"):
            if not isinstance(value := getattr(self, name), bool):
                raise EncodingError(f"a block's {name} is true or false; got {short(value)}")


@dataclass(frozen=True, slots=True)
class SequenceArchitecture:
    """The blocks of a network, from its input to its head, and the head.

    ``head`` says how the steps become one row of features: their ``mean``, their ``max``, or the
    ``last`` one.

    Raises:
        EncodingError: not 1 to 64 blocks, or another head.
    """

    blocks: tuple[SequenceBlock, ...]
    head: str = "mean"

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if not 1 <= len(self.blocks) <= MAX_BLOCKS:
            raise EncodingError(
                f"a network for series has 1 to {MAX_BLOCKS} blocks, got {len(self.blocks)}"
            )
        _named("network's head", self.head, HEADS)

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; everything is stored by name."""
        names = ("operation", "gate", "skip", "halve")
        blocks = [{name: getattr(block, name) for name in names} for block in self.blocks]
        return {"kind": "sequence", "version": JSON_VERSION, "blocks": blocks, "head": self.head}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SequenceArchitecture:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything that the values
                refuse.
        """
        check_version(value, "sequence", JSON_VERSION)
        check_keys(value, {"kind", "version", "blocks", "head"}, "a network for series")
        blocks = value["blocks"]
        if not isinstance(blocks, list):
            raise EncodingError(f"blocks must be a list of objects, got {short(blocks)}")
        decoded = (_block_from_json(block, number) for number, block in enumerate(blocks))
        return cls(tuple(decoded), value["head"])


def _block_from_json(value: object, number: int) -> SequenceBlock:
    if not isinstance(value, Mapping):
        raise EncodingError(f"block {number} must be an object, got {short(value)}")
    check_keys(value, {"operation", "gate", "skip", "halve"}, f"block {number}")
    try:
        return SequenceBlock(**value)
    except EncodingError as error:
        raise EncodingError(f"block {number}: {error}") from None
