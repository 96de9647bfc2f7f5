"""Mobile networks as seven blocks, and the space of all of them (EAT-NAS).

A block says which operation its layers are, their kernel, whether they have skip connections, how
many layers there are and how wide they are: width and depth are searched as well. Layers are
spelled out in ``autodl/spaces/mobile/plan.py``.

Source: Fang et al., EAT-NAS: Elastic Architecture Transfer for Accelerating Large-scale Neural
Architecture Search, arXiv:1901.05884.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.errors import EncodingError
from autodl.spaces.foreign_json import check_keys, check_version, short

BLOCKS = 7
JSON_VERSION = 1
# What each primitive of a block can be, in the order of the published code; a position in a tuple
# is that value's code.
PRIMITIVES: Mapping[str, tuple[Any, ...]] = {
    "operation": ("sep_conv", "mb_conv_3", "mb_conv_6"),
    "kernel": (3, 5, 7),
    "skip": (False, True),
    "depth": (1, 2, 3, 4),
    "width": (0.5, 1.0, 1.5, 2.0),
}
_NAMES = tuple(PRIMITIVES)
Codes: TypeAlias = Sequence[Sequence[int]] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MobileBlock:
    """``depth`` layers that share an operation, a kernel and ``skip``.

    ``width`` is a factor: of the block's base width or, with the compounding rule, of the width
    of the block before. The values are those of ``PRIMITIVES``; equal numbers of other types
    (NumPy's, 1 for 1.0) are taken for them.

    Raises:
        EncodingError: another value.
    """

    operation: str
    kernel: int
    skip: bool
    depth: int
    width: float

    def __post_init__(self) -> None:
        for name, choices in PRIMITIVES.items():
            value = getattr(self, name)
            object.__setattr__(self, name, choices[_code(name, value)])


def _code(name: str, value: object) -> int:
    """Position of a value among the choices of a primitive."""
    choices = PRIMITIVES[name]
    for code, choice in enumerate(choices):
        # True == 1, but one is no depth and the other no answer to whether there are skips
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return code
    raise EncodingError(
        f"a block's {name} is one of {', '.join(map(str, choices))}; got {short(value)}"
    )


@dataclass(frozen=True, slots=True)
class MobileArchitecture:
    """An architecture: its seven blocks, from the stem to the head.

    Raises:
        EncodingError: not seven blocks.
    """

    blocks: tuple[MobileBlock, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.blocks) != BLOCKS:
            raise EncodingError(f"a mobile network has {BLOCKS} blocks, got {len(self.blocks)}")

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; primitives are stored by name and value."""
        blocks = [{name: getattr(block, name) for name in _NAMES} for block in self.blocks]
        return {"kind": "mobile", "version": JSON_VERSION, "blocks": blocks}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MobileArchitecture:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything that the values
                refuse.
        """
        check_version(value, "mobile", JSON_VERSION)
        check_keys(value, {"kind", "version", "blocks"}, "a mobile network")
        blocks = value["blocks"]
        if not isinstance(blocks, list):
            raise EncodingError(f"blocks must be a list of objects, got {short(blocks)}")
        return cls(tuple(_block_from_json(block, number) for number, block in enumerate(blocks)))


def _block_from_json(value: object, number: int) -> MobileBlock:
    if not isinstance(value, Mapping):
        raise EncodingError(f"block {number} must be an object, got {short(value)}")
    check_keys(value, set(_NAMES), f"block {number}")
    try:
        return MobileBlock(**value)
    except EncodingError as error:
        raise EncodingError(f"block {number}: {error}") from None


@cache  # of 288, which all architectures share
def _block(*codes: int) -> MobileBlock:
    for (name, choices), code in zip(PRIMITIVES.items(), codes, strict=True):
        if not 0 <= code < len(choices):
            raise EncodingError(f"codes of {name} go from 0 to {len(choices) - 1}, got {code}")
    values = (PRIMITIVES[name][code] for name, code in zip(_NAMES, codes, strict=True))
    return MobileBlock(*values)


@cache
def _codes(block: MobileBlock) -> tuple[int, ...]:
    return tuple(_code(name, getattr(block, name)) for name in _NAMES)
