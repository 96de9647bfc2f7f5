"""The bits that a search for them had found after some of its seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autodl.compression.bits.bit_search import best_within
from autodl.compression.bits.options import FoundBitsOptions
from autodl.compression.bits.uniform_bits import even_levels
from autodl.compression.choice import Choice, Task
from autodl.compression.errors import CompressionError
from autodl.runs.folder import METRICS


class FoundBits:
    """Evenly spaced levels of the best bits among a ``BitSearch``'s first roll-outs.

    A shorter search with the same seed is the beginning of a longer one, so this is what it would
    have found, without doing it again.
    """

    def __init__(self, options: FoundBitsOptions) -> None:
        self._options = options

    def choose(self, task: Task) -> Choice:
        """See ``Method``; the weights stay as they are.

        Raises:
            CompressionError: the run is no finished compression by ``BitSearch``.
        """
        seconds = self._options.seconds
        rollouts, spent = _searched(self._options.run)
        best = best_within(rollouts, seconds)
        if set(best["bits"]) != set(task.layers):
            raise CompressionError(
                f"Compression.run {self._options.run} is of a network with other layers"
            )
        return Choice(even_levels(task.layers, best["bits"]), min(seconds, spent))


def _searched(run: Path) -> tuple[list[dict[str, Any]], float]:
    """The roll-outs of a search and the seconds that it took in all."""
    try:
        metrics = json.loads((run / METRICS).read_text(encoding="utf-8"))
        return metrics["details"]["rollouts"], float(metrics["search_seconds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CompressionError(
            f"Compression.run {run} holds no finished compression by BitSearch ({error!r})"
        ) from None
