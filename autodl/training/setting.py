"""What the parts of a training are made with: the network and all that is known of its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import paddle
from paddle import nn

from autodl.recipes.recipe import Recipe
from autodl.tasks.task import Batch, Task
from autodl.training.parallel import Share


class Keeper(Protocol):
    """Keeps, by file names, what a part of a training does not compute twice: a ``Run``."""

    tell: Callable[[str], None]

    def save(self, state: Mapping[str, Any], name: str) -> None:
        """Keep a state, as ``autodl.system.state`` can store it, in place of the one before."""
        ...

    def restored(self, name: str) -> dict[str, Any] | None:
        """What was saved last, if anything was.

        Raises:
            CheckpointError: it is damaged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Setting:
    """A training before its first update; ``steps`` is the number of updates in an epoch.

    ``keeper`` is None where nothing is kept, and in a process that does not lead.
    """

    network: nn.Layer
    task: Task
    recipe: Recipe
    seed: int
    share: Share
    steps: int
    keeper: Keeper | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch that begins, counted from 0.

    ``rng`` draws all that is random in it, the batches too. ``seed`` was drawn from it first; it
    is what Paddle's generator starts from, and may start another generator.
    """

    number: int
    rng: np.random.Generator
    seed: int


@dataclass(frozen=True, slots=True)
class Update:
    """An update that will be made next: of what, at which learning rate, and by what.

    ``position`` is its number, from 0 on, or that of the update to which the clock has brought the
    schedule forward (``Pace``).
    """

    batch: Batch
    rate: float
    optimizer: paddle.optimizer.Optimizer
    position: int
