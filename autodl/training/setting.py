"""What the parts of a training are made with: the network and all that is known of its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from autodl.recipes.recipe import Recipe
from autodl.tasks.task import Batch, Task
from autodl.training.parallel import Share


@dataclass(frozen=True, slots=True)
class Setting:
    """A training before its first update; ``steps`` is the number of updates in an epoch."""

    network: nn.Layer
    task: Task
    recipe: Recipe
    seed: int
    share: Share
    steps: int


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
    """An update that will be made next: of what, at which learning rate, and by what."""

    batch: Batch
    rate: float
    optimizer: paddle.optimizer.Optimizer
