"""Which layers of a network have their weights rounded, and how many bits that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import prod

import numpy as np
from numpy.typing import NDArray
from paddle import nn

from autodl.compression.bits.levels import Levels
from autodl.compression.errors import CompressionError

FloatArray = NDArray[np.float32]


def layers_to_round(
    network: nn.Layer, *, keep_ends: bool = True, keep: Sequence[str] = ()
) -> dict[str, nn.Layer]:
    """Convolutions and linear layers by their path, in the order of the network.

    Args:
        keep_ends: leave out the first and the last one, as is the custom: they hold few weights,
            and rounding them costs most.
        keep: paths to leave out; ``*`` and ``?`` stand for any letters.

    Raises:
        CompressionError: nothing is left, or a pattern fits no layer.
    """
    found = {
        path: layer
        for path, layer in network.named_sublayers()
        if isinstance(layer, nn.Conv2D | nn.Linear)
    }
    for pattern in keep:
        if not any(fnmatchcase(path, pattern) for path in found):
            raise CompressionError(
                f"Layers.keep names {pattern!r}, which no layer fits; layers are {_list(found)}"
            )
    ends = {*list(found)[:1], *list(found)[-1:]} if keep_ends else set()
    chosen = {
        path: layer
        for path, layer in found.items()
        if path not in ends and not any(fnmatchcase(path, pattern) for pattern in keep)
    }
    if not chosen:
        raise CompressionError(
            f"no layer is left to round of {_list(found)}; name fewer in Layers.keep, or set"
            " Layers.keep_ends=false"
        )
    return chosen


def _list(names: Mapping[str, object]) -> str:
    shown = list(names)[:5]
    return ", ".join(shown) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def weights_of(layer: nn.Layer) -> FloatArray:
    """A copy of a layer's weights, float32."""
    return np.asarray(layer.weight.numpy(), np.float32)


def weight_count(layer: nn.Layer) -> int:
    """How many weights a layer has, without bias."""
    return int(prod(layer.weight.shape))


def average_bits(bits: Mapping[str, int], counts: Mapping[str, int]) -> float:
    """``sum N_l bits_l / sum N_l`` over the layers of ``bits``."""
    weights = sum(counts[path] for path in bits)
    return sum(counts[path] * bits[path] for path in bits) / weights


def assign(layers: Mapping[str, nn.Layer], levels: Mapping[str, Levels]) -> None:
    """Put every weight of these layers onto its nearest level."""
    for path, own in levels.items():
        layers[path].weight.set_value(own.rounded(weights_of(layers[path])))
