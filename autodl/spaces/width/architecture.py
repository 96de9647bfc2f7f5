"""Architectures that are channel numbers: how many channels each layer of a known network has.

The networks are ResNet-20, 56, 110 and 18, MobileNet-v2, and the networks of a cell pair. Which
numbers a search may choose from is said in ``space.py``, what they cost in ``cost.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from autodl.errors import EncodingError
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.classic.mobilenet_v2 import LAYERS as MOBILENET_LAYERS
from autodl.spaces.foreign_json import check_keys, check_version, short

KIND, VERSION = "widths", 1
CELLS = "cells"
NetworkName: TypeAlias = Literal[
    "resnet20", "resnet56", "resnet110", "resnet18", "mobilenet_v2", "cells"
]
_LAYERS = {
    "resnet20": 19,
    "resnet56": 55,
    "resnet110": 109,
    "resnet18": 17,
    "mobilenet_v2": MOBILENET_LAYERS,
}
NETWORKS: tuple[str, ...] = (*_LAYERS, CELLS)


@dataclass(frozen=True, slots=True)
class WidthArchitecture:
    """The channel number of every layer of a network, in the order of computation.

    A ResNet has those of its stem and 3x3 convolutions, a MobileNet-v2 of all its convolutions.
    The network of ``cells`` has the stem's and, for each cell, those its nodes work on and those
    that the cell gives.

    Raises:
        EncodingError: an unknown network, another number of channel numbers, one below 1, or cells
            without a cell pair or with one where there are none.
    """

    network: str
    channels: tuple[int, ...]
    cells: CellPair | None = None

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise EncodingError(
                f"widths are of {', '.join(NETWORKS)}, not of {short(self.network)}"
            )
        if (self.network == CELLS) != (self.cells is not None):
            raise EncodingError(f"widths have 'cells' exactly if their network is {CELLS}")
        expected = _LAYERS.get(self.network, len(self.channels))
        if len(self.channels) != expected:
            raise EncodingError(
                f"{self.network} has {expected} channel numbers, got {len(self.channels)}"
            )
        if bad := [n for n in self.channels if type(n) is not int or n < 1]:
            raise EncodingError(f"a channel number is a whole number from 1, got {short(bad[0])}")

    def to_json(self) -> dict[str, Any]:
        """A JSON object with the keys ``kind`` and ``version``."""
        value: dict[str, Any] = {
            "kind": KIND,
            "version": VERSION,
            "network": self.network,
            "channels": list(self.channels),
        }
        return value if self.cells is None else {**value, "cells": self.cells.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> WidthArchitecture:
        """The inverse of ``to_json``.

        Raises:
            EncodingError: another kind or version, or values that make no architecture.
        """
        if value.get("kind") != KIND:
            raise EncodingError(f"expected kind {KIND!r}, got {short(value.get('kind'))}")
        check_version(value, KIND, VERSION)
        keys = {"kind", "version", "network", "channels"} | ({"cells"} & set(value))
        check_keys(value, keys, KIND)
        network, channels, cells = value["network"], value["channels"], value.get("cells")
        if not isinstance(network, str) or not isinstance(channels, list):
            raise EncodingError(f"widths have a network and a list of channels, got {short(value)}")
        if cells is not None and not isinstance(cells, Mapping):
            raise EncodingError(f"the cells of widths are a JSON object, got {short(cells)}")
        pair = None if cells is None else CellPair.from_json(cells)
        return cls(network, tuple(channels), pair)
