"""How the levels of all layers are chosen: what a method is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from paddle import nn

from autodl.compression.bits.levels import Levels
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions


@dataclass(slots=True)
class Task:
    """A trained network to choose levels for, and a place to keep what is needed to go on.

    ``train`` is how a method trains; ``saved`` what the last ``save`` of an interrupted choice was
    given, or None. ``unseen`` reads pictures on which nothing was trained, perhaps none, and which
    are not those that the result is measured on.
    """

    network: nn.Layer
    layers: Mapping[str, nn.Layer]
    pictures: Pictures
    normalisation: Normalisation
    train: TrainOptions
    seed: int
    saved: Mapping[str, Any] | None = None
    save: Callable[[Mapping[str, Any]], None] = lambda state: None
    progress: Callable[[str], None] = lambda line: None
    unseen: Callable[[], Pictures] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Levels of every layer, the seconds of computing they took, and what a method tells besides.

    The task's network has the weights that the levels are for, trained for so many more ``epochs``.
    """

    levels: Mapping[str, Levels]
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 0


class Method(Protocol):
    """One way to choose."""

    def choose(self, task: Task) -> Choice:
        """Choose levels; the weights of the task's network may change."""
        ...


def levels_to_state(levels: Mapping[str, Levels]) -> dict[str, Any]:
    """Levels as ``autodl.system.state`` can store them."""
    return {
        path: {"bits": own.bits, "values": own.values, "grid": own.grid}
        for path, own in levels.items()
    }


def levels_from_state(state: Mapping[str, Any]) -> dict[str, Levels]:
    """The inverse of ``levels_to_state``."""
    return {
        path: Levels(
            own["bits"],
            np.asarray(own["values"], np.float32),
            None if own["grid"] is None else (own["grid"][0], own["grid"][1]),
        )
        for path, own in state.items()
    }
