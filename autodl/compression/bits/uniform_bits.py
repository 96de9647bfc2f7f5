"""The baseline: as many bits in every layer, evenly spaced levels, nothing searched."""

from __future__ import annotations

from collections.abc import Mapping

from paddle import nn

from autodl.compression.bits.levels import Levels, uniform_levels
from autodl.compression.bits.options import UniformBitsOptions
from autodl.compression.bits.rounded_layers import weights_of
from autodl.compression.choice import Choice, Task
from autodl.compression.errors import CompressionError
from autodl.training.device import compute_clock


class UniformBits:
    """Levels from end to end of a layer's weights within 3 deviations."""

    def __init__(self, options: UniformBitsOptions | None = None) -> None:
        """Without ``options`` all are the defaults."""
        self._options = options or UniformBitsOptions()

    def choose(self, task: Task) -> Choice:
        """See ``Method``; the weights stay as they are."""
        clock = compute_clock()
        began = clock()
        levels = even_levels(task.layers, dict.fromkeys(task.layers, self._options.bits))
        return Choice(levels, clock() - began)


def even_levels(layers: Mapping[str, nn.Layer], bits: Mapping[str, int]) -> dict[str, Levels]:
    """Evenly spaced levels of given bits for the present weights.

    Raises:
        CompressionError: the weights of a layer are not finite; it is named.
    """
    found = {}
    for path, layer in layers.items():
        try:
            found[path] = uniform_levels(weights_of(layer), bits[path])
        except CompressionError as error:
            raise CompressionError(f"{path}: {error}") from None
    return found
